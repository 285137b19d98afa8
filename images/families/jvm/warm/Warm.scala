package proctor

import scala.collection.mutable
import scala.io.StdIn

case class Pair(left: Int, right: String)

object Warm {
  def main(args: Array[String]): Unit = {
    val count = StdIn.readLine().trim.toInt
    val numbers = StdIn.readLine().split(" ").map(_.toInt).toList.take(count)
    val groups = numbers.groupBy(_ % 2).mapValues(_.sum).toSeq.sorted
    val seen = mutable.Map[Int, Long]().withDefaultValue(0L)
    for (number <- numbers; if number > 1) seen(number) += number
    println(groups.mkString(", ") + seen.toList.sortBy(-_._1) + Array(1, 2).zipWithIndex.toVector)
    println(f"${1.5}%.2f ${Pair(1, "x").copy(left = 2)}")
    println(Iterator.continually(StdIn.readLine()).takeWhile(_ != null).map(_.toLong).sum)
    Option(count) match {
      case Some(few) if few < 9 => System.err.println("few")
      case _ => println("many")
    }
  }
}

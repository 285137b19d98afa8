package proctor

data class Pair2(val left: Int, val right: String)

fun deep(left: Int): Int = if (left == 0) 0 else deep(left - 1) + 1

fun main() {
    val count = readLine()!!.trim().toInt()
    val numbers = readLine()!!.split(" ").map { it.toInt() }
    val groups = numbers.take(count).groupBy { it % 2 }.mapValues { it.value.sum() }
    val sorted = numbers.sortedByDescending { it }.withIndex().filter { it.index < 3 }
    val text = StringBuilder()
    for ((index, value) in sorted) text.append("$index=$value ")
    val memo = mutableMapOf<Int, Long>()
    for (i in 1..10 step 2) memo[i] = memo.getOrDefault(i - 2, 1L) * i
    println(text)
    println(groups.entries.joinToString { "${it.key}:${it.value}" })
    println(Pair2(deep(3), "x").copy(left = 4))
    println(generateSequence(::readLine).map { it.toLong() }.sum())
    println(String.format("%.2f", 1.5) + memo + arrayOf(1, 2).contentToString() + IntArray(3).toList())
    when (count) { in 0..9 -> System.err.println("few"); else -> println("many") }
}

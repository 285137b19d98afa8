package proctor;

import java.io.*;
import java.util.*;
import java.util.function.*;
import java.util.stream.*;

/** Uses what programs use, so that it is in the archives. */
public class Warm {
    record Pair(int left, String right) {}

    interface Shape { double area(); }

    enum Kind { SMALL, LARGE }

    static <T extends Comparable<T>> T largest(List<T> values) { return Collections.max(values); }

    public static void main(String[] args) throws IOException {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        StringTokenizer words = new StringTokenizer(in.readLine(), " ");
        int count = Integer.parseInt(words.nextToken());
        Scanner scanner = new Scanner(in);
        int[] numbers = new int[count];
        for (int i = 0; i < count; i++) numbers[i] = scanner.nextInt();
        Arrays.sort(numbers);
        Map<String, List<Integer>> groups = new TreeMap<>();
        for (int number : numbers) {
            groups.computeIfAbsent("group" + number % 2, key -> new ArrayList<>()).add(number);
        }
        Map<Kind, Integer> kinds = new EnumMap<>(Kind.class);
        kinds.merge(Kind.SMALL, 1, Integer::sum);
        Deque<Integer> deque = new ArrayDeque<>(groups.get("group1"));
        PriorityQueue<Pair> heap = new PriorityQueue<>(Comparator.comparingInt(Pair::left).reversed());
        heap.add(new Pair(deque.pop(), "one"));
        Set<Long> seen = new HashSet<>(List.of(1L, 2L));
        Shape shape = () -> Math.sqrt(2.0);
        StringBuilder text = new StringBuilder();
        text.append(heap.poll()).append(seen.size()).append(shape.area()).append(kinds);
        System.out.println(text.reverse());
        System.out.printf("%d %.3f %s%n", largest(List.of(1, 2)), 1.5, String.format("%5s", "a"));
        System.out.println(IntStream.range(0, 5).mapToObj(Integer::toString).collect(Collectors.joining(",")));
        System.out.println(in.lines().mapToLong(Long::parseLong).sum());
        try {
            throw new IllegalStateException("seen");
        } catch (RuntimeException error) {
            System.out.println(error.getMessage());
        }
        System.err.println(new LinkedList<>(groups.entrySet()));
    }
}

(require '[clojure.string :as str] '[clojure.java.io :as io] '[clojure.set :as set])
(defn deep [left] (if (zero? left) 0 (inc (deep (dec left)))))
(let [total (Integer/parseInt (str/trim (read-line)))
      numbers (map #(Long/parseLong %) (str/split (read-line) #" "))]
  (println (reduce + (take total numbers)) (sort > numbers) (group-by even? numbers) (deep 3))
  (println (format "%.2f" 1.5) (set/union #{1} #{2}) (frequencies numbers) (mapv inc numbers))
  (println (apply + (for [line (line-seq (io/reader *in*))] (Long/parseLong line)))))

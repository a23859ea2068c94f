package main

import (
	"slices"
	"strings"
)

// settingMeant returns the key that an unknown one seems to mean, "" if none; it may be a flag's name.
func settingMeant(unknown string) string {
	for _, s := range settings {
		if s.key != "" && plainKey(unknown) == plainKey(s.flag) {
			return s.key
		}
	}
	return nearest(unknown, settingKeys())
}

// nearest returns which key is spelt most like an unknown one, "" if more than a third is wrong.
func nearest(unknown string, keys []string) (meant string) {
	word := plainKey(unknown)
	if len(word) > 32 {
		return "" // no key is so long, and the time to compare grows with the length
	}
	best := len(word)/3 + 1
	for _, key := range keys {
		if d := typos(word, plainKey(key)); d < best {
			meant, best = key, d
		}
	}
	return meant
}

// plainKey is a key without what is easily mixed up in it.
func plainKey(key string) string { return strings.ReplaceAll(strings.ToLower(key), "-", "_") }

// typos counts bytes that are wrong, missing, extra or swapped (optimal string alignment).
func typos(a, b string) int {
	var before, last []int // the two rows of the table above this one
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before, last, row = last, row, slices.Repeat([]int{i + 1}, len(b)+1)
		for j := range len(b) {
			row[j+1] = min(last[j+1], row[j]) + 1
			same := last[j]
			if a[i] != b[j] {
				same++
			}
			row[j+1] = min(row[j+1], same)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
	}
	return row[len(b)]
}

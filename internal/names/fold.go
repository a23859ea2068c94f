package names

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// maxFolds bounds how often Fold starts over. Three rounds are the most that any name is known to need.
const maxFolds = 16

// blank are characters that print nothing where most fonts show them, beside those that Unicode marks as
// such.
var blank = []rune{
	0x2800,  // braille pattern blank
	0x16fe4, // khitan small script filler
	0x1d159, // musical symbol null notehead
}

// Fold gives names that people take for the same one form: compatibility form (Unicode NFKC), without
// case, without characters that print nothing, with single spaces between words. The result is its own; it is
// empty if the name shows nothing. Letters of different scripts that look alike stay different.
func Fold(name string) string {
	name = strings.ToValidUTF8(name, "\ufffd")
	// What was taken out may have kept apart what composes, and case may compose differently: again, until
	// nothing changes.
	for range maxFolds {
		before := name
		name = strings.Map(foldRune, norm.NFKC.String(name))
		name = strings.Join(strings.Fields(strings.ToLower(strings.ToUpper(name))), " ")
		if name == before {
			break
		}
	}
	return name
}

func foldRune(r rune) rune {
	switch {
	case unicode.IsSpace(r):
		return ' '
	case printsNothing(r):
		return -1
	}
	return r
}

// printsNothing reports whether a character is there without being seen, or only changes how others are shown
// (Unicode: Default_Ignorable_Code_Point, and what blank has). Spaces are seen, between letters.
func printsNothing(r rune) bool {
	return slices.Contains(blank, r) ||
		unicode.In(r, unicode.Cc, unicode.Cf, unicode.Variation_Selector,
			unicode.Other_Default_Ignorable_Code_Point)
}

// Quote quotes a name that somebody else chose, so that it cannot pass for other text: what prints
// nothing or turns the text around shows as Go's escapes, as in "Bo\u200bb".
func Quote(name string) string { return `"` + escape(name, `"\`) + `"` }

// EscapeHidden is Quote for text that may hold quoted names: without quotes, and without escapes of what
// can be seen.
func EscapeHidden(text string) string { return escape(text, "") }

// escape puts a backslash before each character of special, and Go's escapes in place of what cannot be seen.
func escape(text, special string) string {
	var b strings.Builder
	for i, r := range text {
		switch {
		case r == '\ufffd' && !strings.HasPrefix(text[i:], "\ufffd"):
			fmt.Fprintf(&b, `\x%02x`, text[i]) // not UTF-8
		case strings.ContainsRune(special, r):
			b.WriteByte('\\')
			b.WriteRune(r)
		case !strconv.IsPrint(r) || printsNothing(r):
			escaped := strconv.QuoteRuneToASCII(r)
			b.WriteString(escaped[1 : len(escaped)-1])
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// ShellQuote returns s as one word of a POSIX shell, for commands that people are told to run.
func ShellQuote(s string) string {
	plain := func(r rune) bool {
		return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' ||
			strings.ContainsRune("/._-+:@%", r)
	}
	if s != "" && s[0] != '-' && strings.TrimLeftFunc(s, plain) == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

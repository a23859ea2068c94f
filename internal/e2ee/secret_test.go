package e2ee

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestSecretText(t *testing.T) {
	one, other := NewSecret(), NewSecret()
	if one.Text() == other.Text() {
		t.Fatal("two new secrets are the same")
	}
	again, err := ParseSecret(one.Text())
	if err != nil {
		t.Fatal(err)
	}
	if again.Text() != one.Text() || *again.reveal() != *one.reveal() {
		t.Error("a secret changed on its way through its text")
	}
}

func TestParseSecretRefuses(t *testing.T) {
	text := NewSecret().Text()
	for i := range text {
		changed := []byte(text)
		if changed[i]++; changed[i] == 'z'+1 {
			changed[i] = 'a'
		}
		if _, err := ParseSecret(string(changed)); err == nil {
			t.Errorf("character %d changed: no error", i)
		}
		if _, err := ParseSecret(text[:i]); err == nil {
			t.Errorf("cut to %d characters: no error", i)
		}
	}
	for _, bad := range []string{text + "\n", " " + text, text + "=", text + "A", text[:30] + "\n" +
		text[30:],
		strings.ToUpper(text[:4]) + text[4:], "correct horse battery staple"} {
		_, err := ParseSecret(bad)
		if err == nil {
			t.Errorf("%q: no error", bad)
		} else if msg := err.Error(); !strings.Contains(msg, "wzp secret new") ||
			!strings.Contains(msg, "passwords are not accepted") ||
			strings.Contains(msg, "horse") || strings.Contains(msg, "\n") {
			t.Errorf("%q: the error is %q", bad, msg)
		}
	}
}

// A secret that is nearly right must not end up in a log by way of its error.
func TestParseSecretDoesNotEcho(t *testing.T) {
	text := NewSecret().Text()
	for _, bad := range []string{text[:len(text)-1], text + "x", text[4:], text[:20] + "A" + text[21:],
		text[:20] + "B" + text[21:]} {
		if _, err := ParseSecret(bad); err != nil {
			for i := 4; i+8 < len(bad); i++ {
				if strings.Contains(err.Error(), bad[i:i+8]) {
					t.Fatalf("the error shows some of the text: %v", err)
				}
			}
		}
	}
}

func TestProof(t *testing.T) {
	secret, entry := NewSecret(), []byte("an entry up to its proof")
	proof := secret.Proof("room", entry)
	if !secret.Check("room", entry, &proof) {
		t.Error("a proof does not hold")
	}
	if secret.Check("room", entry, nil) {
		t.Error("no proof holds")
	}
	if NewSecret().Check("room", entry, &proof) || secret.Check("room2", entry, &proof) ||
		secret.Check("room", entry[1:], &proof) {
		t.Error("a proof holds for another secret, room or entry")
	}
	for i := range proof {
		proof[i] ^= 0x10
		if secret.Check("room", entry, &proof) {
			t.Errorf("byte %d changed, and the proof holds", i)
		}
		proof[i] ^= 0x10
	}
}

func TestSecretsAreRedacted(t *testing.T) {
	secret := NewSecret()
	join, err := NewJoinKey()
	if err != nil {
		t.Fatal(err)
	}
	private, err := join.reveal().Bytes()
	if err != nil {
		t.Fatal(err)
	}
	type exported struct {
		S *Secret
		J *JoinKey
	}
	type unexported struct {
		s  *Secret
		j  *JoinKey
		sv Secret
		jv JoinKey
	}
	values := []any{secret, join, *secret, *join, exported{secret, join}, &exported{secret, join},
		unexported{secret, join, *secret, *join}, &unexported{secret, join, *secret, *join},
		[]any{secret, join, *secret}}

	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x", "%X", "%o", "%c", "%t", "%p",
		"%U", "%e"} {
		for _, value := range values {
			fmt.Fprintf(&out, verb+"\n", value)
		}
		for _, value := range values[:4] {
			if got := fmt.Sprintf(verb, value); got != "secret" && verb != "%p" {
				t.Errorf("%s of a %T is %q, want secret", verb, value, got)
			}
		}
	}
	slog.New(slog.NewTextHandler(&out, nil)).Info("m", "values", values, "secret", secret, "join", join, "of",
		*secret)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("m", "values", values, "secret", secret, "join", join, "of",
		*secret)
	if err := json.NewEncoder(&out).Encode(values); err != nil {
		t.Fatal(err)
	}
	if got, err := json.Marshal(exported{secret, join}); err != nil ||
		string(got) != `{"S":"secret","J":"secret"}` {
		t.Errorf("as JSON: %s, %v", got, err)
	}

	printed := strings.ToLower(out.String())
	for name, b := range map[string][]byte{"secret": secret.reveal()[:4], "join key": private[1:5]} {
		for _, form := range []string{
			hex.EncodeToString(b),
			strings.Trim(fmt.Sprint(b), "[]"),
			strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%#v", b), "[]byte{"), "}"),
			strings.Trim(fmt.Sprintf("%o", b), "[]"),
			strings.ToLower(base64.StdEncoding.EncodeToString(b)[:5]),
		} {
			if strings.Contains(printed, form) {
				t.Errorf("the %s is in the output as %q", name, form)
			}
		}
	}
}

// FuzzParseSecret: whatever is taken is exactly what Text makes of it.
func FuzzParseSecret(f *testing.F) {
	f.Add("")
	f.Add("wzp-")
	f.Add("correct horse battery staple")
	f.Add(secretFromBytes([secretSize]byte{1, 2, 3}).Text())
	f.Add(secretFromBytes([secretSize]byte{0: 0xff, 31: 0xff}).Text() + "\n")
	f.Fuzz(func(t *testing.T, text string) {
		secret, err := ParseSecret(text)
		switch {
		case err != nil && secret != nil:
			t.Fatalf("%q: a secret and an error", text)
		case err == nil && secret.Text() != text:
			t.Fatalf("ParseSecret took %q, Text says %q", text, secret.Text())
		}
	})
}

package identity

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// repeated returns the seed whose bytes are all b.
func repeated(b byte) Seed {
	return SeedFromBytes([SeedSize]byte(bytes.Repeat([]byte{b}, SeedSize)))
}

// vectors are featherChat's: seed byte repeated 32 times, Ed25519 public key, fingerprint.
var vectors = []struct {
	seed        byte
	public      string
	fingerprint string
}{
	{0x2a, "d335301856dc5f763fb71fbec9728840d3feb078855e184dce5b0769fcda04bc",
		"9983:c2ce:87f9:61b7:7931:d7c1:fd7f:864c"},
	{0x63, "d12d385331068c9e45882abba6a8c6b34115bc4331d1067616c2d3a837acfe50",
		"7f92:a8cf:0814:393c:3bfb:4d48:cc2e:80f8"},
	{0xab, "970164bac536365bc3701bdc4e43410bd07771da5628c971dc62cb15a7f7204d",
		"8470:57d7:a85a:f6fb:79de:e03e:8d5c:2634"},
	{0x55, "21ea6370aceef4cf61a6ced389fdb16915edb1e1ff078b27a75f1d20fce9471b",
		"eb6d:ce47:7a66:fd12:3a0b:39f9:874a:e69b"},
}

func TestDerivationVectors(t *testing.T) {
	for _, v := range vectors {
		id := repeated(v.seed).Identity()
		if got := id.Public().String(); got != v.public {
			t.Errorf("seed %02x: public key %s, want %s", v.seed, got, v.public)
		}
		if got := id.Fingerprint().String(); got != v.fingerprint {
			t.Errorf("seed %02x: fingerprint %s, want %s", v.seed, got, v.fingerprint)
		}
	}
	const x25519 = "450ec91af98d8d4a92c4df7123d1ef8addf6de185623135b015398652e7fa73d"
	if got := hex.EncodeToString(repeated(0x2a).Identity().X25519().PublicKey().Bytes()); got != x25519 {
		t.Errorf("X25519 public key %s, want %s", got, x25519)
	}
}

func TestNewSeedIsRandom(t *testing.T) {
	a, b := NewSeed(), NewSeed()
	if a.Equal(b) || !a.Equal(a) || a.Equal(Seed{}) || !(Seed{}).Equal(Seed{}) {
		t.Error("seeds compare wrongly, or two new ones are the same")
	}
}

// TestSecretsNeverPrint puts secrets where printers reach them, also inside other types, and looks for
// their bytes in every notation that printers use.
func TestSecretsNeverPrint(t *testing.T) {
	seed := repeated(0x2a)
	id := seed.Identity()
	cert, err := id.TLSCertificate()
	if err != nil {
		t.Fatal(err)
	}
	type unexported struct {
		seed Seed
		id   *Identity
		copy Identity
	}
	type exported struct {
		Seed Seed
		ID   *Identity
		Copy Identity
	}
	values := []any{seed, &seed, id, *id, unexported{seed, id, *id}, &unexported{seed, id, *id},
		exported{seed, id, *id},
		map[string]Seed{"k": seed}, []Seed{seed}, cert.PrivateKey}
	seedBytes := seed.reveal()
	var secrets []string
	for _, key := range [][]byte{seedBytes[:], id.secret().ed25519[:32], id.secret().x25519.Bytes()} {
		for _, format := range []string{"%x", "%X", "% x", "%d", "%v", "%#v", "%q", "%s"} {
			text := strings.Trim(fmt.Sprintf(format, key), `[]"`)
			text = strings.TrimSuffix(strings.TrimPrefix(text, "[]byte{"), "}")
			secrets = append(secrets, text[:len(text)/2])
		}
	}
	check := func(how, out string) {
		t.Helper()
		for _, s := range secrets {
			if strings.Contains(out, s) {
				t.Errorf("%s shows a secret: %s", how, out)
				return
			}
		}
	}
	for _, v := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%x", "%X", "%s", "%q", "%d", "%t"} {
			check(fmt.Sprintf("%s of %T", verb, v), fmt.Sprintf(verb, v))
		}
		var jsonLog, textLog bytes.Buffer
		slog.New(slog.NewJSONHandler(&jsonLog, nil)).Info("m", "v", v)
		slog.New(slog.NewTextHandler(&textLog, nil)).Info("m", "v", v)
		check(fmt.Sprintf("slog JSON of %T", v), jsonLog.String())
		check(fmt.Sprintf("slog text of %T", v), textLog.String())
		out, err := json.Marshal(v)
		if err != nil {
			t.Errorf("json of %T: %v", v, err)
		}
		check(fmt.Sprintf("json of %T", v), string(out))
	}
}

func TestSecretsSayRedacted(t *testing.T) {
	seed := repeated(0x2a)
	id := seed.Identity()
	for _, v := range []any{seed, &seed, id, *id, tlsSigner{id: id}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%x", "%s", "%q"} {
			if got := fmt.Sprintf(verb, v); got != redactedText {
				t.Errorf("%s of %T is %s", verb, v, got)
			}
		}
		if out, err := json.Marshal(v); err != nil || string(out) != `"[redacted]"` {
			t.Errorf("json of %T is %s, %v", v, out, err)
		}
		var log bytes.Buffer
		slog.New(slog.NewJSONHandler(&log, nil)).Info("m", "v", v)
		if !strings.Contains(log.String(), `"v":"[redacted]"`) {
			t.Errorf("slog of %T is %s", v, log.String())
		}
	}
	if seed.String() != redactedText {
		t.Error("String shows the seed")
	}
}

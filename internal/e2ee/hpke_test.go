package e2ee

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/hkdf"
	"crypto/hpke"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"os"
	"testing"
)

// hpkeFile holds what we use of RFC 9180's vectors.
const hpkeFile = "../../testdata/vectors/hpke.json"

type hpkeVectors struct {
	HPKE []struct {
		PkRm        hexBytes `json:"pkRm"`
		SkRm        hexBytes `json:"skRm"`
		SkEm        hexBytes `json:"skEm"`
		Enc         hexBytes `json:"enc"`
		Info        hexBytes `json:"info"`
		Encryptions []struct {
			AAD hexBytes `json:"aad"`
			PT  hexBytes `json:"pt"`
			CT  hexBytes `json:"ct"`
		} `json:"encryptions"`
		Exports []struct {
			Context hexBytes `json:"exporter_context"`
			L       int      `json:"L"`
			Value   hexBytes `json:"exported_value"`
		} `json:"exports"`
	} `json:"hpke"`
}

// RFC 9180, appendix A.1.1.
func TestHPKEVectors(t *testing.T) {
	text, err := os.ReadFile(hpkeFile)
	if err != nil {
		t.Fatal(err)
	}
	var vectors hpkeVectors
	if err := json.Unmarshal(text, &vectors); err != nil {
		t.Fatalf("%s: %v", hpkeFile, err)
	}
	if len(vectors.HPKE) != 1 || len(vectors.HPKE[0].Encryptions) != 3 {
		t.Fatalf("%s holds other vectors than those of appendix A.1.1", hpkeFile)
	}
	v := vectors.HPKE[0]
	join := joinKeyFromBytes(t, v.SkRm)
	public := join.Public()
	wantBytes(t, "pkRm", public[:], v.PkRm)
	r, err := hpke.NewRecipient(v.Enc, join.reveal(), hpke.HKDFSHA256(), hpke.AES128GCM(), v.Info)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range v.Encryptions { // in their order: HPKE counts them
		pt, err := r.Open(e.AAD, e.CT)
		if err != nil {
			t.Fatal(err)
		}
		wantBytes(t, "pt", pt, e.PT)
	}

	context := setUpHPKE(t, v.SkEm, v.PkRm, v.Info)
	if len(v.Exports) == 0 {
		t.Error("no exports")
	}
	for _, e := range v.Exports {
		value, err := r.Export(string(e.Context), e.L)
		if err != nil {
			t.Fatal(err)
		}
		wantBytes(t, "exported value", value, e.Value)
		wantBytes(t, "exported value, by the test's own sender", context.export(string(e.Context), e.L), e.Value)
	}

	first := v.Encryptions[0]
	wantBytes(t, "enc || ct, by the test's own sender",
		sealHPKE(t, v.SkEm, v.PkRm, v.Info, first.AAD, first.PT), append(bytes.Clone(v.Enc), first.CT...))
}

// sealHPKE returns enc || ciphertext of the first message of RFC 9180's base mode with our suite and a given
// ephemeral key, which crypto/hpke does not take. It is written from the RFC, not from that package, so that
// each of the two checks the other.
func sealHPKE(t testing.TB, skE, pkR, info, aad, pt []byte) []byte {
	t.Helper()
	return setUpHPKE(t, skE, pkR, info).seal(aad, pt)
}

// hpkeContext is a sender's context, before its first message.
type hpkeContext struct {
	suite                           labels
	enc, key, nonce, exporterSecret []byte
}

func setUpHPKE(t testing.TB, skE, pkR, info []byte) hpkeContext {
	t.Helper()
	ephemeral, err := ecdh.X25519().NewPrivateKey(skE)
	if err != nil {
		t.Fatal(err)
	}
	recipient, err := ecdh.X25519().NewPublicKey(pkR)
	if err != nil {
		t.Fatal(err)
	}
	dh, err := ephemeral.ECDH(recipient)
	if err != nil {
		t.Fatal(err)
	}
	enc := ephemeral.PublicKey().Bytes()

	// Encap, section 4.1: KEM 0x0020.
	kem := labels{t, []byte("KEM\x00\x20")}
	shared := kem.expand(kem.extract(nil, "eae_prk", dh), "shared_secret", append(bytes.Clone(enc), pkR...),
		32)

	// KeySchedule, section 5.1: base mode (0), KDF 0x0001, AEAD 0x0001, neither PSK nor its id.
	suite := labels{t, []byte("HPKE\x00\x20\x00\x01\x00\x01")}
	context := append([]byte{0}, suite.extract(nil, "psk_id_hash", nil)...)
	context = append(context, suite.extract(nil, "info_hash", info)...)
	secret := suite.extract(shared, "secret", nil)
	return hpkeContext{suite, enc, suite.expand(secret, "key", context, 16),
		suite.expand(secret, "base_nonce", context, 12), suite.expand(secret, "exp", context, 32)}
}

func (c hpkeContext) seal(aad, pt []byte) []byte {
	block, err := aes.NewCipher(c.key)
	if err != nil {
		c.suite.t.Fatal(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		c.suite.t.Fatal(err)
	}
	return aead.Seal(bytes.Clone(c.enc), c.nonce, pt, aad)
}

// export is section 5.3.
func (c hpkeContext) export(context string, n int) []byte {
	return c.suite.expand(c.exporterSecret, "sec", []byte(context), n)
}

// labels is LabeledExtract and LabeledExpand of RFC 9180, section 4, for one suite_id.
type labels struct {
	t     testing.TB
	suite []byte
}

func (l labels) extract(salt []byte, label string, ikm []byte) []byte {
	prk, err := hkdf.Extract(sha256.New, append([]byte("HPKE-v1"+string(l.suite)+label), ikm...), salt)
	if err != nil {
		l.t.Fatal(err)
	}
	return prk
}

func (l labels) expand(prk []byte, label string, info []byte, n int) []byte {
	labeled := binary.BigEndian.AppendUint16(nil, uint16(n))
	labeled = append(labeled, "HPKE-v1"+string(l.suite)+label...)
	key, err := hkdf.Expand(sha256.New, prk, string(append(labeled, info...)), n)
	if err != nil {
		l.t.Fatal(err)
	}
	return key
}

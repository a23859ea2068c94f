package e2ee

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"testing"
)

// vectorFile holds the vectors that the browser client runs, too.
const vectorFile = "../../testdata/vectors/sframe.json"

type vectors struct {
	Header []struct {
		KID     number   `json:"kid"`
		CTR     number   `json:"ctr"`
		Encoded hexBytes `json:"encoded"`
	} `json:"header"`
	AESCTRHMAC []struct {
		Suite   Suite    `json:"cipher_suite"`
		Key     hexBytes `json:"key"`
		EncKey  hexBytes `json:"enc_key"`
		AuthKey hexBytes `json:"auth_key"`
		Nonce   hexBytes `json:"nonce"`
		AAD     hexBytes `json:"aad"`
		PT      hexBytes `json:"pt"`
		CT      hexBytes `json:"ct"`
	} `json:"aes_ctr_hmac"`
	SFrame []struct {
		Suite    Suite    `json:"cipher_suite"`
		KID      number   `json:"kid"`
		CTR      number   `json:"ctr"`
		BaseKey  hexBytes `json:"base_key"`
		Key      hexBytes `json:"sframe_key"`
		Salt     hexBytes `json:"sframe_salt"`
		Metadata hexBytes `json:"metadata"`
		Nonce    hexBytes `json:"nonce"`
		AAD      hexBytes `json:"aad"`
		PT       hexBytes `json:"pt"`
		CT       hexBytes `json:"ct"`
	} `json:"sframe"`
	Wire []struct {
		Suite   Suite    `json:"cipher_suite"`
		KID     number   `json:"kid"`
		CTR     number   `json:"ctr"`
		BaseKey hexBytes `json:"base_key"`
		AAD     hexBytes `json:"aad"`
		PT      hexBytes `json:"pt"`
		CT      hexBytes `json:"ct"`
	} `json:"wire"`
}

// hexBytes are bytes as a hexadecimal JSON string.
type hexBytes []byte

func (h *hexBytes) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	return err
}

// number is a uint64 as a decimal JSON string.
type number uint64

func (n *number) UnmarshalText(text []byte) error {
	v, err := strconv.ParseUint(string(text), 10, 64)
	*n = number(v)
	return err
}

func loadVectors(t *testing.T) vectors {
	t.Helper()
	text, err := os.ReadFile(vectorFile)
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatalf("%s: %v", vectorFile, err)
	}
	if len(v.Header) != 289 || len(v.AESCTRHMAC) != 2 || len(v.SFrame) != 2 || len(v.Wire) == 0 {
		t.Fatalf("%s holds %d header, %d aes_ctr_hmac, %d sframe, %d wire vectors, want 289, 2, 2, some",
			vectorFile, len(v.Header), len(v.AESCTRHMAC), len(v.SFrame), len(v.Wire))
	}
	return v
}

func mustKey(t testing.TB, suite Suite, kid uint64, baseKey []byte) *Key {
	t.Helper()
	key, err := NewKey(suite, kid, baseKey)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func wantBytes(t *testing.T, what string, got, want []byte) {
	t.Helper()
	if !bytes.Equal(got, want) {
		t.Errorf("%s:\n got %x\nwant %x", what, got, want)
	}
}

// RFC 9605, appendix C.1.
func TestHeaderVectors(t *testing.T) {
	for _, v := range loadVectors(t).Header {
		wantBytes(t, fmt.Sprintf("header of %d, %d", v.KID, v.CTR),
			AppendHeader(nil, uint64(v.KID), uint64(v.CTR)), v.Encoded)

		kid, ctr, n, err := ParseHeader(append(v.Encoded, 0xff))
		if err != nil || kid != uint64(v.KID) || ctr != uint64(v.CTR) || n != len(v.Encoded) {
			t.Errorf("ParseHeader(%x) = %d, %d, %d, %v, want %d, %d, %d", v.Encoded, kid, ctr, n, err, v.KID, v.CTR, len(v.Encoded))
		}
		for n := range v.Encoded {
			if _, _, _, err := ParseHeader(v.Encoded[:n]); err == nil {
				t.Errorf("ParseHeader(%x), cut from %x: no error", v.Encoded[:n], v.Encoded)
			}
		}
	}
}

// RFC 9605, appendix C.2.
func TestAESCTRHMACVectors(t *testing.T) {
	for _, v := range loadVectors(t).AESCTRHMAC {
		t.Run(v.Suite.String(), func(t *testing.T) {
			wantBytes(t, "key, from its parts", v.Key, append(v.EncKey, v.AuthKey...))
			c, err := newCTRHMAC(v.Key, [nonceSize]byte(v.Nonce), v.Suite.TagLen())
			if err != nil {
				t.Fatal(err)
			}
			c.setNonce(0)
			wantBytes(t, "ct", c.seal(nil, v.AAD, nil, v.PT), v.CT)
			wantBytes(t, "ct with part of aad as metadata", c.seal(nil, v.AAD[:5], v.AAD[5:], v.PT), v.CT)
			pt, err := c.open(nil, v.AAD, nil, v.CT)
			if err != nil {
				t.Fatal(err)
			}
			wantBytes(t, "pt", pt, v.PT)
		})
	}
}

// RFC 9605, appendix C.3.
func TestSFrameVectors(t *testing.T) {
	for _, v := range loadVectors(t).SFrame {
		t.Run(v.Suite.String(), func(t *testing.T) {
			kid, wantCTR := uint64(v.KID), uint64(v.CTR)
			key, salt, err := deriveKeySalt(v.Suite, kid, v.BaseKey)
			if err != nil {
				t.Fatal(err)
			}
			wantBytes(t, "sframe_key", key, v.Key)
			wantBytes(t, "sframe_salt", salt, v.Salt)

			k := mustKey(t, v.Suite, kid, v.BaseKey)
			wantBytes(t, "aad", append(k.prepare(wantCTR), v.Metadata...), v.AAD)
			wantBytes(t, "nonce", k.aead.nonce[:], v.Nonce)
			wantBytes(t, "ct", k.SealFrame([]byte("before"), wantCTR, v.Metadata, v.PT), append([]byte("before"), v.CT...))

			pt, ctr, err := k.OpenFrame([]byte("before"), v.Metadata, v.CT)
			if err != nil || ctr != wantCTR {
				t.Fatalf("OpenFrame: ctr %d, error %v, want %d", ctr, err, wantCTR)
			}
			wantBytes(t, "pt", pt, append([]byte("before"), v.PT...))
			if _, _, err := k.OpenFrame(nil, nil, v.CT); err != ErrAuth {
				t.Errorf("OpenFrame without the metadata: %v, want ErrAuth", err)
			}
		})
	}
}

// What wzp sends: the ciphertext alone.
func TestWireVectors(t *testing.T) {
	for _, v := range loadVectors(t).Wire {
		t.Run(fmt.Sprintf("%v/%d", v.Suite, v.CTR), func(t *testing.T) {
			k := mustKey(t, v.Suite, uint64(v.KID), v.BaseKey)
			wantBytes(t, "aad", AppendHeader(nil, k.KID(), uint64(v.CTR)), v.AAD)
			wantBytes(t, "ct", k.Seal(nil, uint64(v.CTR), v.PT), v.CT)
			pt, err := k.Open(nil, uint64(v.CTR), v.CT)
			if err != nil {
				t.Fatal(err)
			}
			wantBytes(t, "pt", pt, v.PT)
		})
	}
}

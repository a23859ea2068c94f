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
			appendHeader(nil, uint64(v.KID), uint64(v.CTR)), v.Encoded)
	}
}

// RFC 9605, appendix C.2.
func TestAESCTRHMACVectors(t *testing.T) {
	for _, v := range loadVectors(t).AESCTRHMAC {
		t.Run(fmt.Sprint(v.Suite), func(t *testing.T) {
			wantBytes(t, "key, from its parts", v.Key, append(v.EncKey, v.AuthKey...))
			c := newCTRHMAC(v.Key, v.Nonce, v.Suite.TagLen())
			c.setNonce(0)
			wantBytes(t, "ct", c.seal(nil, v.AAD, v.PT), v.CT)
			pt, err := c.open(nil, v.AAD, v.CT)
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
		t.Run(fmt.Sprint(v.Suite), func(t *testing.T) {
			kid, wantCTR := uint64(v.KID), uint64(v.CTR)
			key, salt := deriveKeySalt(v.Suite, kid, v.BaseKey)
			wantBytes(t, "sframe_key", key, v.Key)
			wantBytes(t, "sframe_salt", salt, v.Salt)

			k := mustKey(t, v.Suite, kid, v.BaseKey)
			wantBytes(t, "aad", append(k.prepare(wantCTR), v.Metadata...), v.AAD)
			wantBytes(t, "nonce", k.aead.nonce[:], v.Nonce)
			header := appendHeader(nil, kid, wantCTR)
			wantBytes(t, "ct", k.aead.seal(header, v.AAD, v.PT), v.CT)
			pt, err := k.aead.open([]byte("before"), v.AAD, v.CT[len(header):])
			if err != nil {
				t.Fatal(err)
			}
			wantBytes(t, "pt", pt, append([]byte("before"), v.PT...))
			if _, err := k.aead.open(nil, header, v.CT[len(header):]); err != ErrAuth {
				t.Errorf("opened without the metadata: %v, want ErrAuth", err)
			}
		})
	}
}

// What wzp sends: the ciphertext alone.
func TestWireVectors(t *testing.T) {
	for _, v := range loadVectors(t).Wire {
		t.Run(fmt.Sprintf("%v/%d", v.Suite, v.CTR), func(t *testing.T) {
			k := mustKey(t, v.Suite, uint64(v.KID), v.BaseKey)
			wantBytes(t, "aad", appendHeader(nil, k.kid, uint64(v.CTR)), v.AAD)
			wantBytes(t, "ct", k.Seal(nil, uint64(v.CTR), v.PT), v.CT)
			pt, err := k.Open(nil, uint64(v.CTR), v.CT)
			if err != nil {
				t.Fatal(err)
			}
			wantBytes(t, "pt", pt, v.PT)
		})
	}
}

package e2ee

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"reflect"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/wire"
)

// e2eeFile holds vectors of our own that the browser client runs, too.
const e2eeFile = "../../testdata/vectors/e2ee.json"

var update = flag.Bool("update", false, "write the vectors that the code makes anew")

// e2eeVectors is the file. What is called bad must be refused, "why" says what is wrong with it.
type e2eeVectors struct {
	Source    string            `json:"source"`
	Format    string            `json:"format"`
	KID       []kidVector       `json:"kid"`
	CTR       []ctrVector       `json:"ctr"`
	Secret    []secretVector    `json:"secret"`
	BadSecret []badSecretVector `json:"bad_secret"`
	Proof     []proofVector     `json:"proof"`
	Ratchet   []ratchetVector   `json:"ratchet"`
	Members   []membersVector   `json:"members"`
	Header    []headerVector    `json:"key_header"`
	BadHeader []badHeaderVector `json:"bad_key_header"`
	Wrap      []wrapVector      `json:"wrap"`
	BadWrap   []badWrapVector   `json:"bad_wrap"`
	LowOrder  []hexBytes        `json:"low_order"`
	Safety    []safetyVector    `json:"safety_number"`
}

// TestE2EEVectors makes the vectors anew and compares: the file and the code say the same. The tests below
// check what a receiver does with them.
func TestE2EEVectors(t *testing.T) {
	compareVectors(t, e2eeFile, makeE2EEVectors(t))
}

func compareVectors[T any](t *testing.T, file string, made T) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, formatVectors(t, made), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var stored T
	loadVectorFile(t, file, &stored)
	if diff := cmp.Diff(made, stored, cmpopts.EquateEmpty(), cmpopts.IgnoreUnexported(badOfferVector{})); diff != "" {
		t.Errorf("%s differs from what the code makes (-code +file); if that is meant, run the test with "+
			"-update:\n%s", file, diff)
	}
}

func loadE2EEVectors(t *testing.T) (v e2eeVectors) {
	t.Helper()
	loadVectorFile(t, e2eeFile, &v)
	return v
}

func loadVectorFile(t *testing.T, file string, v any) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

// formatVectors writes one vector a line, so that changes can be read.
func formatVectors(t *testing.T, v any) []byte {
	t.Helper()
	var out bytes.Buffer
	line := func(prefix string, value any) {
		out.WriteString(prefix)
		e := json.NewEncoder(&out)
		e.SetEscapeHTML(false)
		if err := e.Encode(value); err != nil {
			t.Fatal(err)
		}
		out.Truncate(out.Len() - 1) // the end of the line
	}
	separator := "{"
	for field, value := range reflect.ValueOf(v).Fields() {
		fmt.Fprintf(&out, "%s\n  %q: ", separator, field.Tag.Get("json"))
		if separator = ","; value.Kind() == reflect.String {
			line("", value.String())
			continue
		}
		for i := range value.Len() {
			line(map[bool]string{true: "[\n    ", false: ",\n    "}[i == 0], value.Index(i).Interface())
		}
		out.WriteString("\n  ]")
	}
	out.WriteString("\n}\n")
	return out.Bytes()
}

type (
	// kidVector: entry -> entry_hash -> member, its first 6 bytes; with stream, generation and step -> kid.
	kidVector struct {
		Entry      hexBytes `json:"entry"`
		EntryHash  hexBytes `json:"entry_hash"`
		Member     hexBytes `json:"member"`
		Stream     uint8    `json:"stream"`
		Generation uint8    `json:"generation"`
		Step       uint8    `json:"step"`
		KID        number   `json:"kid"`
	}
	// ctrVector: the low bits that travelled, with next = one above the highest so far (0: none) -> ctr.
	ctrVector struct {
		Bits      int    `json:"bits"`
		Truncated uint32 `json:"truncated"`
		Next      number `json:"next"`
		CTR       number `json:"ctr"`
	}
	// secretVector: text <-> secret; secret and room -> the two keys.
	secretVector struct {
		Text      string   `json:"text"`
		Secret    hexBytes `json:"secret"`
		Room      string   `json:"room"`
		MediaKey  hexBytes `json:"media_key"`
		MemberKey hexBytes `json:"member_key"`
	}
	badSecretVector struct {
		Text string `json:"text"`
		Why  string `json:"why"`
	}
	// proofVector: whether a client with this secret (empty: with none) takes the entry's member for one
	// inside. proof is what the entry must hold for that, over the bytes proved; empty without a secret or
	// proof.
	proofVector struct {
		Secret hexBytes `json:"secret"`
		Entry  hexBytes `json:"entry"`
		Proved hexBytes `json:"proved"`
		Proof  hexBytes `json:"proof"`
		Inside bool     `json:"inside"`
	}
	// ratchetVector: the steps of one generation, each made of the one before, and a frame sealed under each.
	ratchetVector struct {
		Suite  Suite        `json:"cipher_suite"`
		Secret hexBytes     `json:"secret"` // empty: a room without
		Room   string       `json:"room"`
		Steps  []stepVector `json:"steps"`
	}
	stepVector struct {
		Step    uint8    `json:"step"`
		W       hexBytes `json:"w"`
		BaseKey hexBytes `json:"base_key"`
		KID     number   `json:"kid"`
		CTR     number   `json:"ctr"`
		AAD     hexBytes `json:"aad"`
		PT      hexBytes `json:"pt"`
		CT      hexBytes `json:"ct"`
	}
	// membersVector: entry hashes, in any order -> digest.
	membersVector struct {
		Hashes []hexBytes `json:"entry_hashes"`
		Digest hexBytes   `json:"digest"`
	}
	// headerVector: the fields -> header; seed, the sender's entry hash and header -> what is signed ->
	// signature.
	headerVector struct {
		Seed      hexBytes `json:"seed"`
		Identity  hexBytes `json:"identity"`
		Sender    hexBytes `json:"sender"`
		Suite     Suite    `json:"cipher_suite"`
		Number    uint32   `json:"number"`
		Epoch     uint8    `json:"epoch"`
		FirstCTR  number   `json:"first_ctr"`
		W         hexBytes `json:"w"`
		Hash      hexBytes `json:"hash"`
		Members   hexBytes `json:"member_digest"`
		Header    hexBytes `json:"header"`
		Signed    hexBytes `json:"signed"`
		Signature hexBytes `json:"signature"`
	}
	badHeaderVector struct {
		Identity  hexBytes `json:"identity"`
		Sender    hexBytes `json:"sender"`
		Header    hexBytes `json:"header"`
		Signature hexBytes `json:"signature"`
		Why       string   `json:"why"`
	}
	// wrapVector: sender, header, recipient -> info; key, join key and the ephemeral key -> wrap; and back.
	wrapVector struct {
		Ephemeral hexBytes `json:"ephemeral"` // private, X25519
		Private   hexBytes `json:"join_private"`
		JoinKey   hexBytes `json:"join_key"`
		Sender    hexBytes `json:"sender"`
		Header    hexBytes `json:"header"`
		Recipient hexBytes `json:"recipient"`
		Info      hexBytes `json:"info"`
		Key       hexBytes `json:"key"`
		Wrap      hexBytes `json:"wrap"`
	}
	badWrapVector struct {
		Private   hexBytes `json:"join_private"`
		Sender    hexBytes `json:"sender"`
		Header    hexBytes `json:"header"`
		Recipient hexBytes `json:"recipient"`
		Wrap      hexBytes `json:"wrap"`
		Why       string   `json:"why"`
	}
	// safetyVector: room, people in any order, secret (empty: none) -> number.
	safetyVector struct {
		Room   string     `json:"room"`
		People []hexBytes `json:"people"`
		Secret hexBytes   `json:"secret"`
		Number string     `json:"number"`
	}
)

// MarshalText is the reverse of UnmarshalText.
func (h hexBytes) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(h)), nil }

// MarshalText is the reverse of UnmarshalText.
func (n number) MarshalText() ([]byte, error) { return strconv.AppendUint(nil, uint64(n), 10), nil }

func TestSecretVectors(t *testing.T) {
	v := loadE2EEVectors(t)
	for _, v := range v.Secret {
		secret, err := ParseSecret(v.Text)
		if err != nil {
			t.Fatalf("%s: %v", v.Text, err)
		}
		wantBytes(t, "secret", secret.reveal()[:], v.Secret)
	}
	for _, v := range v.BadSecret {
		if _, err := ParseSecret(v.Text); err == nil {
			t.Errorf("%q (%s): no error", v.Text, v.Why)
		}
	}
}

func TestProofVectors(t *testing.T) {
	for i, v := range loadE2EEVectors(t).Proof {
		e, err := wire.ParseEntry(v.Entry)
		if err != nil {
			t.Fatal(err)
		}
		inside := e.Proof == nil
		if len(v.Secret) > 0 {
			inside = secretFromBytes([secretSize]byte(v.Secret)).Check(e.Room, e.Proved(), e.Proof)
		}
		if inside != v.Inside {
			t.Errorf("vector %d: inside %t, want %t", i, inside, v.Inside)
		}
	}
}

func TestRatchetVectors(t *testing.T) {
	for _, v := range loadE2EEVectors(t).Ratchet {
		for i, step := range v.Steps {
			if i > 0 {
				wantBytes(t, "ratcheted key", ratchet(v.Steps[i-1].W), step.W)
			}
			plaintext, err := mustKey(t, v.Suite, uint64(step.KID), step.BaseKey).Open(nil, uint64(step.CTR),
				step.CT)
			if err != nil {
				t.Fatalf("step %d: %v", step.Step, err)
			}
			wantBytes(t, "frame", plaintext, step.PT)
		}
	}
}

func TestKeyHeaderVectors(t *testing.T) {
	v := loadE2EEVectors(t)
	for i, v := range v.Header {
		if !verifyHeader(identity.PublicKey(v.Identity), wire.EntryHash(v.Sender), v.Header, v.Signature) {
			t.Errorf("vector %d does not verify", i)
		}
		message := wire.Append(nil, &wire.SenderKey{Recipients: 1,
			Key: wire.SignedKey{Signed: v.Header, Signature: v.Signature}})
		k, err := wire.Parse[wire.SenderKey](message)
		if err != nil {
			t.Fatal(err)
		}
		want := wire.KeyHeader{Suite: uint8(v.Suite), Number: v.Number, Epoch: v.Epoch,
			FirstCTR: uint64(v.FirstCTR),
			Hash:     [32]byte(v.Hash), Members: [32]byte(v.Members)}
		if k.Key.KeyHeader != want {
			t.Errorf("vector %d: read %+v, want %+v", i, k.Key.KeyHeader, want)
		}
	}
	for _, v := range v.BadHeader {
		if verifyHeader(identity.PublicKey(v.Identity), wire.EntryHash(v.Sender), v.Header, v.Signature) {
			t.Errorf("verifies: %s", v.Why)
		}
	}
}

func TestWrapVectors(t *testing.T) {
	v := loadE2EEVectors(t)
	for i, v := range v.Wrap {
		key, err := joinKeyFromBytes(t, v.Private).unwrap(wire.EntryHash(v.Sender), v.Header,
			wire.EntryHash(v.Recipient), v.Wrap)
		if err != nil {
			t.Fatalf("vector %d: %v", i, err)
		}
		wantBytes(t, "key", key, v.Key)
	}
	for _, v := range v.BadWrap {
		if _, err := joinKeyFromBytes(t, v.Private).unwrap(wire.EntryHash(v.Sender), v.Header,
			wire.EntryHash(v.Recipient), v.Wrap); err == nil {
			t.Errorf("opens: %s", v.Why)
		}
	}
	for _, joinKey := range v.LowOrder {
		if _, err := wrapKey([32]byte(joinKey), testSender, testHeader, testRecipient,
			freshKey()); err == nil {
			t.Errorf("wraps to %x, of low order", joinKey)
		}
	}
}

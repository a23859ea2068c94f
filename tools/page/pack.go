package main

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"path"
	"strings"

	"github.com/andybalholm/brotli"
)

// list is list.json, which web.go reads: what is served by which name.
type list struct {
	Files     map[string]file   `json:"files"`     // by the path in addresses
	Documents map[string]string `json:"documents"` // by language: the path of the door's document
}

// file is one that is served. In the folder it is From.br and From.gz, or From if compressing saves little.
type file struct {
	From string `json:"from"`
	Keep bool   `json:"keep,omitempty"` // browsers may keep it for ever: its name says what is in it
	Hash string `json:"hash"`           // SHA-256 of the plain bytes, hexadecimal
	// Of a document: what its policy must allow, as that names inline scripts and styles.
	Scripts []string `json:"scripts,omitempty"`
	Styles  []string `json:"styles,omitempty"`
}

// dist collects what is made.
type dist struct {
	list  list
	files map[string][]byte
}

func newDist() *dist {
	return &dist{list{Files: make(map[string]file), Documents: make(map[string]string)}, make(map[string][]byte)}
}

// addHashed puts a file in under a name that says what is in it, so that browsers may keep it for ever.
func (d *dist) addHashed(name string, b []byte) (served string, err error) {
	sum, ext := sha256.Sum256(b), path.Ext(name)
	served = strings.TrimSuffix(name, ext) + "-" + hex.EncodeToString(sum[:4]) + ext
	if err := d.add(served, name, b); err != nil {
		return "", err
	}
	f := d.list.Files[served]
	f.Keep = true
	d.list.Files[served] = f
	return served, nil
}

// add puts a file in, to be served by that name.
func (d *dist) add(served, name string, b []byte) error {
	sum := sha256.Sum256(b)
	d.list.Files[served] = file{From: name, Hash: hex.EncodeToString(sum[:])}
	small, err := compress(b)
	if err != nil {
		return err
	}
	if len(small.gzip) > len(b)*9/10 {
		d.files[name] = b
		return nil
	}
	d.files[name+".br"], d.files[name+".gz"] = small.brotli, small.gzip
	return nil
}

// finish adds the list.
func (d *dist) finish() (map[string][]byte, error) {
	b, err := json.MarshalIndent(d.list, "", "\t")
	if err != nil {
		return nil, err
	}
	d.files["list.json"] = append(b, '\n')
	return d.files, nil
}

// policyHash is how a Content-Security-Policy names an inline script or style.
func policyHash(text []byte) string {
	sum := sha256.Sum256(text)
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

type compressed struct{ brotli, gzip []byte }

func compress(b []byte) (compressed, error) {
	var br, gz bytes.Buffer
	w := brotli.NewWriterOptions(&br, brotli.WriterOptions{Quality: brotli.BestCompression, LGWin: 18})
	z, err := gzip.NewWriterLevel(&gz, gzip.BestCompression)
	if err != nil {
		return compressed{}, err
	}
	for _, to := range []interface {
		Write(b []byte) (int, error)
		Close() error
	}{w, z} {
		if _, err := to.Write(b); err != nil {
			return compressed{}, err
		}
		if err := to.Close(); err != nil {
			return compressed{}, err
		}
	}
	return compressed{br.Bytes(), gz.Bytes()}, nil
}

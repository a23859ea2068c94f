package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestSecretFileIsSmall gives a file that can be no invite secret: that is wrong usage.
func TestSecretFileIsSmall(t *testing.T) {
	path := filepath.Join(t.TempDir(), "film")
	if err := os.WriteFile(path, make([]byte, maxSecretFile+1), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := readSecret(path)
	if !errors.As(err, new(usageError)) || !strings.Contains(err.Error(), "an invite secret and nothing else") {
		t.Errorf("%v", err)
	}
}

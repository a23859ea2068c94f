package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// addManifest adds the manifest, with the names of its icons, and these.
func addManifest(d *dist, web string) error {
	text, err := os.ReadFile(filepath.Join(web, "manifest.webmanifest"))
	if err != nil {
		return err
	}
	svg, err := os.ReadFile(filepath.Join(web, "icon.svg"))
	if err != nil {
		return err
	}
	var manifest struct {
		Name            string         `json:"name"`
		ShortName       string         `json:"short_name"`
		Description     string         `json:"description"`
		StartURL        string         `json:"start_url"`
		Scope           string         `json:"scope"`
		Display         string         `json:"display"`
		BackgroundColor string         `json:"background_color"`
		ThemeColor      string         `json:"theme_color"`
		Icons           []manifestIcon `json:"icons"`
	}
	if err := json.Unmarshal(text, &manifest); err != nil {
		return fmt.Errorf("manifest.webmanifest: %w", err)
	}
	add := func(name string, b []byte, icon manifestIcon) error {
		var err error
		if icon.Src, err = d.addHashed(name, b); err == nil {
			manifest.Icons = append(manifest.Icons, icon)
		}
		return err
	}
	manifest.Icons = nil
	manifest.Icons = append(manifest.Icons, manifestIcon{Src: dataURL(svg), Sizes: "any", Type: "image/svg+xml",
		Purpose: "any"})
	for _, size := range []int{192, 512} {
		for _, purpose := range []string{"any", "maskable"} {
			if purpose == "maskable" && size == 192 {
				continue
			}
			png, err := drawIcon(string(svg), size, purpose == "maskable")
			if err != nil {
				return err
			}
			name := fmt.Sprintf("icon-%d.png", size)
			if purpose == "maskable" {
				name = fmt.Sprintf("icon-maskable-%d.png", size)
			}
			if err := add(name, png, manifestIcon{Sizes: fmt.Sprintf("%dx%[1]d", size), Type: "image/png",
				Purpose: purpose}); err != nil {
				return err
			}
		}
	}
	b, err := json.Marshal(manifest)
	if err != nil {
		return err
	}
	return d.add("manifest.webmanifest", "manifest.webmanifest", b)
}

type manifestIcon struct {
	Src     string `json:"src"`
	Sizes   string `json:"sizes"`
	Type    string `json:"type"`
	Purpose string `json:"purpose"`
}

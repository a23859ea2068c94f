package main

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"regexp"
	"strconv"
)

// The icon is a rounded square with upright strokes: icon.svg says where. It is drawn here as that, no more.
var (
	squarePart = regexp.MustCompile(`viewBox="0 0 64 64".*<rect width="64" height="64" rx="(\d+)" fill="#([0-9a-f]{6})"/>`)
	strokePart = regexp.MustCompile(`stroke="#([0-9a-f]{6})" stroke-width="(\d+)" stroke-linecap="round"`)
	linePart   = regexp.MustCompile(`M(\d+) (\d+)v(\d+)`)
)

// drawIcon makes a PNG of icon.svg, so many pixels wide. A maskable one fills its square, with the strokes in
// the middle 80 per cent, which every mask leaves (W3C Web Application Manifest, "Icon masks and safe zone").
func drawIcon(svg string, size int, maskable bool) ([]byte, error) {
	square, stroke := squarePart.FindStringSubmatch(svg), strokePart.FindStringSubmatch(svg)
	lines := linePart.FindAllStringSubmatch(svg, -1)
	if square == nil || stroke == nil || lines == nil {
		return nil, fmt.Errorf("icon.svg is drawn in a way that icon.go does not know")
	}
	round, width, scale := number(square[1]), number(stroke[2]), 1.0
	if maskable {
		round, scale = 0, 0.8
	}
	// distance to the strokes' edge, in units of the drawing; negative inside
	toStroke := func(x, y float64) float64 {
		x, y = 32+(x-32)/scale, 32+(y-32)/scale
		least := math.Inf(1)
		for _, line := range lines {
			from := number(line[2])
			nearest := min(max(y, from), from+number(line[3]))
			least = min(least, math.Hypot(x-number(line[1]), y-nearest))
		}
		return (least - width/2) * scale
	}
	toSquare := func(x, y float64) float64 {
		if round == 0 {
			return -1
		}
		dx, dy := math.Abs(x-32)-(32-round), math.Abs(y-32)-(32-round)
		return math.Hypot(max(dx, 0), max(dy, 0)) + min(max(dx, dy), 0) - round
	}
	unit := 64 / float64(size)
	cover := func(distance float64) float64 { return min(max(0.5-distance/unit, 0), 1) }
	picture := image.NewNRGBA(image.Rect(0, 0, size, size))
	back, front := colour(square[2]), colour(stroke[1])
	for py := range size {
		for px := range size {
			x, y := (float64(px)+0.5)*unit, (float64(py)+0.5)*unit
			share := cover(toStroke(x, y))
			c := color.NRGBA{A: uint8(math.Round(255 * cover(toSquare(x, y))))}
			c.R, c.G, c.B = mix(back[0], front[0], share), mix(back[1], front[1], share), mix(back[2], front[2], share)
			if c.A == 0 {
				c = color.NRGBA{}
			}
			picture.SetNRGBA(px, py, c)
		}
	}
	var out bytes.Buffer
	err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&out, picture)
	return out.Bytes(), err
}

func mix(a, b, share float64) uint8 { return uint8(math.Round(a + (b-a)*share)) }

func number(digits string) float64 {
	n, _ := strconv.ParseFloat(digits, 64) // the patterns let only digits through
	return n
}

func colour(hex string) (rgb [3]float64) {
	n, _ := strconv.ParseUint(hex, 16, 32)
	for i := range rgb {
		rgb[i] = float64(n >> (16 - 8*i) & 0xff)
	}
	return rgb
}

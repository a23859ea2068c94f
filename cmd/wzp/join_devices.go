package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/wzp-voice/wzp"
)

// deviceLine is what --devices says of a microphone or loudspeaker.
type deviceLine struct {
	Event   string `json:"event"`  // "device"
	Device  string `json:"device"` // "microphone" or "loudspeaker"
	Name    string `json:"name"`
	Title   string `json:"title,omitempty"`
	Default bool   `json:"default,omitempty"`
	Monitor bool   `json:"monitor,omitempty"`
}

// listDevices prints what --mic and --speaker may choose.
func (c *joinCmd) listDevices() error {
	mics, speakers, err := wzp.SoundDevices()
	if err != nil {
		return err
	}
	for _, list := range []struct {
		kind, flag string
		devices    []wzp.SoundDevice
	}{{"microphone", "--mic", mics}, {"loudspeaker", "--speaker", speakers}} {
		if !c.JSON {
			fmt.Printf("%ss, for %s:\n", list.kind, list.flag)
		}
		for _, d := range list.devices {
			if c.JSON {
				if err := json.NewEncoder(os.Stdout).Encode(deviceLine{"device", list.kind, d.Name, d.Title,
					d.Default, d.Monitor}); err != nil {
					return err
				}
				continue
			}
			what := ""
			if d.Default {
				what = " (default)"
			}
			fmt.Println(forTerminal("  " + d.Name + "  " + d.Title + what))
		}
	}
	return nil
}

// device says that a microphone or loudspeaker was lost, and why, or that it is back.
func (o *joinOutput) device(kind string, lost error) {
	gone := lost != nil
	l := line{Event: "device", Device: kind, Lost: &gone, human: fmt.Sprintf("The %s is back.", kind)}
	if gone {
		l.Cause = lost.Error()
		l.human = fmt.Sprintf("The %s is gone (%s). You stay in the room, and it is taken again when it is "+
			"back.", kind, lost)
	}
	o.print(l)
}

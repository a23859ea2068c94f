package audio

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jfreymuth/pulse/proto"
)

// DeviceInfo is a microphone or loudspeaker that a sound server has.
type DeviceInfo struct {
	Name    string // for Device.Name
	Title   string // for people; may be empty
	Default bool   // what the zero Device stands for
	Monitor bool   // a microphone that hears what a loudspeaker plays
}

// Devices lists what a sound server has, the default first. It fails with *NoSoundServerError when there is
// none.
func Devices(server string) (microphones, speakers []DeviceInfo, err error) {
	link, err := dialPulse(server, func(any) {})
	if err != nil {
		return nil, nil, err
	}
	defer link.close()
	var defaults proto.GetServerInfoReply
	var sources proto.GetSourceInfoListReply
	var sinks proto.GetSinkInfoListReply
	err = errors.Join(
		link.Request(&proto.GetServerInfo{}, &defaults),
		link.Request(&proto.GetSourceInfoList{}, &sources),
		link.Request(&proto.GetSinkInfoList{}, &sinks),
	)
	if err != nil {
		return nil, nil, fmt.Errorf("the sound server does not list its devices: %w", err)
	}
	for _, s := range sources {
		microphones = append(microphones, DeviceInfo{s.SourceName, s.Device,
			s.SourceName == defaults.DefaultSourceName, s.MonitorSourceIndex != proto.Undefined})
	}
	for _, s := range sinks {
		speakers = append(speakers, DeviceInfo{s.SinkName, s.Device, s.SinkName == defaults.DefaultSinkName,
			false})
	}
	slices.SortStableFunc(microphones, DeviceInfo.compare)
	slices.SortStableFunc(speakers, DeviceInfo.compare)
	return microphones, speakers, nil
}

func (d DeviceInfo) compare(other DeviceInfo) int {
	rank := func(d DeviceInfo) int {
		switch {
		case d.Default:
			return 0
		case d.Monitor:
			return 2
		}
		return 1
	}
	return cmp.Compare(rank(d), rank(other))
}

// FindDevice returns the name of the device that people mean: by its name, its title, or a part of either
// that no other has. kind is for errors.
func FindDevice(kind, meant string, devices []DeviceInfo) (name string, err error) {
	for _, d := range devices {
		if d.Name == meant {
			return d.Name, nil
		}
	}
	for _, fits := range []func(text string) bool{
		func(text string) bool { return strings.EqualFold(text, meant) },
		func(text string) bool { return strings.Contains(strings.ToLower(text), strings.ToLower(meant)) },
	} {
		var found []DeviceInfo
		for _, d := range devices {
			if fits(d.Name) || fits(d.Title) {
				found = append(found, d)
			}
		}
		switch {
		case len(found) == 1:
			return found[0].Name, nil
		case len(found) > 1:
			return "", fmt.Errorf("%q fits %d %ss, such as %s and %s: give the whole name", meant, len(found),
				kind, found[0].Name, found[1].Name)
		}
	}
	return "", noDevice(kind, meant)
}

// FindMicrophone returns the microphone that people mean, the default one by "", without opening it.
func FindMicrophone(server, meant string) (DeviceInfo, error) {
	mics, _, err := Devices(server)
	switch {
	case err != nil:
		return DeviceInfo{}, err
	case len(mics) == 0:
		return DeviceInfo{}, deviceError("microphone", "--in", Device{Name: meant}, proto.ErrNoSuchEntity)
	case meant == "":
		return mics[0], nil
	}
	name, err := FindDevice("microphone", meant, mics)
	if err != nil {
		return DeviceInfo{}, err
	}
	return mics[slices.IndexFunc(mics, func(d DeviceInfo) bool { return d.Name == name })], nil
}

func noDevice(kind, name string) error {
	return noDeviceError(fmt.Sprintf("no %s named %q: `wzp join --devices` lists those that are there", kind,
		name))
}

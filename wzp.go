package wzp

import "github.com/wzp-voice/wzp/internal/call"

// What the engine calls the same.
type (
	Attached      = call.Attached
	Client        = call.Client
	Config        = call.Config
	Detached      = call.Detached
	Discard       = call.Discard
	Ended         = call.Ended
	Event         = call.Event
	EventLog      = call.EventLog
	JoinConfig    = call.JoinConfig
	MediaDropped  = call.MediaDropped
	Member        = call.Member
	MemberJoined  = call.MemberJoined
	MemberLeft    = call.MemberLeft
	PlayConfig    = call.PlayConfig
	Publication   = call.Publication
	PublishConfig = call.PublishConfig
	Room          = call.Room
	SafetyNumber  = call.SafetyNumber
	Secret        = call.Secret
	Sink          = call.Sink
	SoundConfig   = call.SoundConfig
	SoundDevice   = call.SoundDevice
	Source        = call.Source
	Stats         = call.Stats
	Stream        = call.Stream
	StreamStarted = call.StreamStarted
	StreamStats   = call.StreamStats
	Warning       = call.Warning
	WarningCode   = call.WarningCode
)

// The engine's functions.
var (
	CreateStream   = call.CreateStream
	CreateWAV      = call.CreateWAV
	Dial           = call.Dial
	NewSecret      = call.NewSecret
	NewTone        = call.NewTone
	OpenEventLog   = call.OpenEventLog
	OpenMicrophone = call.OpenMicrophone
	OpenSpeaker    = call.OpenSpeaker
	OpenStream     = call.OpenStream
	OpenWAV        = call.OpenWAV
	ParseSecret    = call.ParseSecret
	SoundDevices   = call.SoundDevices
)

// SampleRate of all sound, Hz.
const SampleRate = call.SampleRate

// The kinds of Warning.
const (
	WarnName    = call.WarnName
	WarnOutside = call.WarnOutside
	WarnRelay   = call.WarnRelay
	WarnSound   = call.WarnSound
)

// Package wzp is encrypted group voice for bad networks: a client joins a room on a relay, publishes what a
// source captures, and plays what the others say. Bots are built on it, and so is the command wzp.
//
//	client, err := wzp.NewClient("relay.example:4433", wzp.Config{Name: "anna", RelayKey: key})
//	room, err := client.Join(ctx, "kitchen", wzp.JoinConfig{})
//	publication, err := room.Publish(microphone, wzp.PublishConfig{})
//	err = room.Play(ctx, wzp.PlayConfig{Mix: speaker})
//	err = room.Leave()
//
// How sound flows:
//
//	Source ─> Publication ─ Opus, encrypted ─> relay ~~~> relay ─> Stream ─> Play ─> Sink
//
// Sound is mono float32 at 48 kHz everywhere, full scale from -1 to 1. It is encrypted between the members of
// a room: relays forward what they cannot decrypt. What a relay could still do, such as to hide somebody or
// to show somebody who is not there, is found by comparing a [SafetyNumber] or prevented by a [Secret].
//
// All methods are safe for concurrent use, but for those of a [Source] and a [Sink], which say what they
// need.
//
// # Errors
//
// All errors are one line for people that says what to do. Those that programs tell apart are found with
// errors.Is and errors.As:
//
//	from                 error                            means
//	NewClient, Join      ErrName                          the name of client or room is not allowed
//	Join, Ended          *identity.RelayKeyChangedError   the relay's key is not the known or given one
//	Join, Ended          *RefusedError                    the relay refused the client, or ended its stay
//	Join                 ErrUnreachable                   there is no such host, or it did not answer in time
//	Join                 ErrClosed                        the Client was closed
//	Publish              ErrPublished                     the room publishes something already
//	Publish              ErrRoomOver                      it was left, or the relay ended it
//	OpenMicrophone, ...  ErrNoDevice                      there is no such sound device, or no sound server
//
// Beside those, Join returns why known relays cannot be read or written, Play what a [Sink] or
// PlayConfig.Each returned, and Publication.Err what the [Source] did.
package wzp

// These files are the surface alone: own types, translated to those of internal/call, where the work is done.

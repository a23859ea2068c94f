package relay

import (
	"log/slog"
	"reflect"
	"strconv"

	"github.com/wzp-voice/wzp/identity"
)

// Config is what a relay is made of. A field with help is a flag of wzp relay, and one with key is in its
// file, too. All that there is to say about it stands in its tag:
//
//	default  of the flag, and of a number that is 0 here; other zero values mean none
//	least, most  bounds of a number; without them it has to be above 0
//	form     of a text: addr is an address, addr? one or none, directory one
//	help     Help has those that are long
type Config struct {
	Listen         string `key:"listen_addr" form:"addr" default:":4433" placeholder:"ADDR" help:"${listen}"`
	HTTP           string `name:"http" key:"http_addr" form:"addr?" placeholder:"ADDR" help:"${http}"`
	Admin          string `key:"admin_addr" form:"addr?" default:"127.0.0.1:9090" placeholder:"ADDR" help:"${admin}"`
	AdminTokenFile string `type:"home" key:"admin_token_file" placeholder:"FILE" help:"${admin_token}"`
	Data           string `type:"home" key:"data_dir" form:"directory" placeholder:"DIR" help:"${data}"`
	Sockets        int    `default:"0" least:"0" most:"64" placeholder:"N" help:"${sockets}"`

	Domain     string   `placeholder:"NAME" help:"${domain}"`
	TLSCert    string   `type:"home" name:"tls-cert" placeholder:"FILE" help:"${tls_cert}"`
	TLSKey     string   `type:"home" name:"tls-key" placeholder:"FILE" help:"Its key."`
	WebOrigins []string `name:"web-origin" placeholder:"URL" sep:"none" help:"${web_origin}"`

	Probe []string `name:"probe" placeholder:"HOST:PORT" sep:"none" help:"${probe}"`

	EventLog string `type:"home" key:"event_log" placeholder:"FILE" help:"${event_log}"`

	MaxSessions   int `default:"20000" key:"max_sessions" placeholder:"N" help:"Sessions at once."`
	MaxRooms      int `default:"10000" key:"max_rooms" placeholder:"N" help:"Rooms at once."`
	MaxMembers    int `default:"2000" key:"max_members" placeholder:"N" help:"Members of one room."`
	MaxPerAddress int `default:"1000" placeholder:"N" help:"${max_per_address}"`
	MaxHandshakes int `default:"1024" placeholder:"N" help:"${max_handshakes}"`

	HelloRate   float64 `default:"20" placeholder:"N" help:"${hello_rate}"`
	MaxMessage  int     `default:"8192" least:"4096" most:"65536" placeholder:"BYTES" help:"${max_message}"`
	ControlRate float64 `default:"10" placeholder:"N" help:"Control messages a second of one session."`
	MediaRate   int     `default:"500" placeholder:"N" help:"Media packets a second of one session."`
	MemberRate  int     `default:"256" key:"member_rate" placeholder:"KBITS" help:"${member_rate}"`
	RoomRate    int     `default:"2000" key:"room_rate" placeholder:"KBITS" help:"${room_rate}"`
	SendRate    int     `default:"0" least:"0" key:"send_rate" placeholder:"N" help:"${send_rate}"`

	MaxMembersPerAddress int `default:"0" least:"0" placeholder:"N" help:"${max_members_per_address}"`

	Identity   *identity.Identity `kong:"-"`
	Version    string             `kong:"-"`
	Log        *slog.Logger       `kong:"-"` // nil: silent
	Federation FederationConfig   `kong:"-"` // relays to bridge rooms with
	ACMECache  string             `kong:"-"` // directory for certificates of Domain
	ACMEListen string             `kong:"-"` // TCP address of ACME's http-01; "": ":80"
}

// Help are the texts of Config's help that do not fit a line.
var Help = map[string]string{
	"listen": "UDP address for clients; port 0 means any.",
	"http": "TCP address of the page and of WebSockets; empty for none, and no browsers. " +
		"Default: 127.0.0.1:8080, or :443 with a certificate.",
	"admin": "TCP address of /healthz, /readyz, /metrics and the HTTP API, which /openapi.json describes; " +
		"empty for none.",
	"admin_token": "File with a token that requests of the HTTP API show, but for reading from this " +
		"machine. Without one others may not use it.",
	"probe": "Another relay, also one that is no peer, to measure the way to; see /probes of --admin. " +
		"May be repeated.",
	"data": "Directory of the relay's identity and certificates; made if missing. " +
		"Default: wzp/relay in your configuration directory.",
	"sockets": "UDP sockets on the port; 0 means one for each core.",
	"domain": "Public name of this relay: obtain its certificate from Let's Encrypt, whose terms you " +
		"accept by this. Needs ports 80 and 443.",
	"tls_cert": "Certificate of --http, PEM, with its chain; read again when it changes.",
	"web_origin": "A page that may use this relay, such as https://voice.example.org; needed behind a " +
		"reverse proxy. May be repeated.",
	"config": "Settings, peers and global rooms, as in docs/wzp.example.toml. Flags override it; " +
		"SIGHUP reads peers and rooms again.",
	"event_log": "Log decisions about packets and members, one JSON object a line, for wzp analyze.",

	"max_per_address": "Sessions of one address, or IPv6 /64; of a /48 four times as many.",
	"max_handshakes":  "Connections that have not proved who they are.",
	"hello_rate":      "Connections a second of one address, or IPv6 /64.",
	"max_message":     "Longest control message of a client, 4096 to 65536.",
	"member_rate":     "Media of one member, kbit/s with all headers.",
	"room_rate": "Media of one room that is passed on, kbit/s with all headers; addresses and peers share " +
		"it, and the members of each.",
	"send_rate": "Media packets a second that are sent to members; addresses and peers share it, and " +
		"crowds of one address are left out first. 0: 200,000 for each processor.",
	"max_members_per_address": "Members of one room from one address, or IPv6 /48; 0: as many as leave " +
		"places for others, half of --max-members at most.",
}

// withDefaults fills in what is 0.
func (c Config) withDefaults() Config {
	config := reflect.ValueOf(&c).Elem()
	for i := range config.NumField() {
		field, tag := config.Field(i), config.Type().Field(i).Tag
		standard := tag.Get("default")
		if !field.IsZero() || standard == "" {
			continue
		}
		switch field.Kind() {
		case reflect.Int:
			n, _ := strconv.Atoi(standard)
			field.SetInt(int64(n))
		case reflect.Float64:
			n, _ := strconv.ParseFloat(standard, 64)
			field.SetFloat(n)
		case reflect.String:
			if tag.Get("form") == "addr" {
				field.SetString(standard)
			}
		}
	}
	if c.ACMEListen == "" {
		c.ACMEListen = ":80"
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

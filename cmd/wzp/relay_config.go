package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/relay"
	"github.com/wzp-voice/wzp/internal/wire"
)

// The configuration file of wzp relay, TOML 1.0. What lives where:
//
//	FILE -- relay_config_toml.go: values and the line of each, problems
//	          |
//	          |-- relay_config.go: keys that flags override ---------------> relayCmd
//	          '-- relay_config_peers.go: peers, trusted, global rooms -----> relay.FederationConfig
//	                                                                            |
//	SIGHUP -- relay_config_reload.go: reads again, logs what changed -----------'

// maxConfigFile is how long a configuration may be, in bytes: room for thousands of peers.
const maxConfigFile = 1 << 20

// relayConfig is what a configuration file says, checked.
type relayConfig struct {
	file       string
	settings   map[string]any // by the name of a setting; string or int
	federation relay.FederationConfig
}

// setting is a key of the file that stands for a flag of wzp relay.
type setting struct {
	key, flag string
	read      func(value any) (any, error) // checks a value of the file, and returns the string or int that it means
	set       func(c *relayCmd, value any) // nil: this version does nothing with it, and nobody is told of it
	path      bool                         // a relative one begins at the directory of the file
}

// settings are the keys beside the tables, in the order in which people are told of them.
var settings = []setting{
	{key: "listen_addr", flag: "listen", read: readListen, set: func(c *relayCmd, v any) { c.Listen = v.(string) }},
	{key: "http_addr", flag: "http", read: readListenOrNone, set: func(c *relayCmd, v any) { c.HTTP = new(v.(string)) }},
	{key: "admin_addr", flag: "admin", read: readListenOrNone, set: func(c *relayCmd, v any) { c.Admin = v.(string) }},
	{key: "metrics_port", flag: "admin", read: readCount(1, 65535), set: func(c *relayCmd, v any) { c.Admin = net.JoinHostPort("127.0.0.1", strconv.Itoa(v.(int))) }},
	{key: "data_dir", flag: "data", read: readDirectory, set: func(c *relayCmd, v any) { c.Data = v.(string) }, path: true},
	{key: "event_log", flag: "event-log", read: readString, set: func(c *relayCmd, v any) { c.EventLog = v.(string) }, path: true},
	{key: "max_sessions", flag: "max-sessions", read: readCount(1, 1<<31-1), set: func(c *relayCmd, v any) { c.MaxSessions = v.(int) }},
	{key: "max_rooms", flag: "max-rooms", read: readCount(1, 1<<31-1), set: func(c *relayCmd, v any) { c.MaxRooms = v.(int) }},
	{key: "max_members", flag: "max-members", read: readCount(1, 1<<31-1), set: func(c *relayCmd, v any) { c.MaxMembers = v.(int) }},
	{key: "auth_url", read: readAuthURL},
}

// readRelayConfig reads and checks a file. own is the relay's own fingerprint, if it has one already; it is asked after
// the settings are read, for they may say where it is. All problems are found, each with its line: the error is then a
// configErrors.
func readRelayConfig(file string, own func(*relayConfig) (identity.Fingerprint, bool)) (*relayConfig, error) {
	text, err := readConfigFile(file)
	if err != nil {
		return nil, fileError("read --config", file, err)
	}
	doc, err := parseTOML(file, text)
	if err != nil {
		return nil, err
	}
	c := &relayConfig{file: file, settings: make(map[string]any)}
	c.readSettings(doc)
	fingerprint, known := own(c)
	r := federationReader{doc: doc, ids: make(map[wire.RelayID]metRelay)}
	if known {
		r.own = &fingerprint
	}
	c.federation = r.read()
	return c, doc.err()
}

// givenFlags are the flags of the command line, without those that have their default.
func givenFlags(k *kong.Context) map[string]bool {
	given := make(map[string]bool)
	for _, at := range k.Path {
		if at.Flag != nil && !at.Resolved {
			given[at.Flag.Name] = true
		}
	}
	return given
}

// readConfig sets what --config says, but for flags that were given; nil if there is no --config. Of several mistakes it
// prints all but the last, which is the error.
func (c *relayCmd) readConfig(given map[string]bool) (*relayConfig, error) {
	switch {
	case given["config"] && c.Config == "":
		return nil, usagef("--config is empty: give the name of a file")
	case c.Config == "" && c.CheckConfig:
		return nil, usagef("--check-config needs --config FILE")
	case c.Config == "":
		return nil, nil
	}
	c.keys = make(map[string]string)
	config, err := readRelayConfig(c.Config, func(config *relayConfig) (identity.Fingerprint, bool) {
		config.apply(c, given)
		return c.ownFingerprint()
	})
	if err != nil {
		lines := problemLines(err)
		last := len(lines) - 1
		for _, line := range lines[:last] {
			fail(errors.New(line))
		}
		return nil, errors.New(lines[last])
	}
	return config, nil
}

// ownFingerprint is that of the identity that the relay has. Checking a configuration makes none, and what is wrong
// with the file is said when the relay starts.
func (c *relayCmd) ownFingerprint() (identity.Fingerprint, bool) {
	dir, err := c.dataDir()
	if err != nil {
		return identity.Fingerprint{}, false
	}
	seed, err := identity.LoadFile(filepath.Join(dir, "identity"))
	if err != nil {
		return identity.Fingerprint{}, false
	}
	return seed.Identity().Fingerprint(), true
}

func readConfigFile(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxConfigFile+1))
	if err == nil && len(text) > maxConfigFile {
		err = fmt.Errorf("it has more than %d bytes", maxConfigFile)
	}
	return text, err
}

// readSettings reads all keys that are not tables, and refuses those that do not exist.
func (c *relayConfig) readSettings(doc *tomlDocument) {
	names := make([]string, 0, len(settings)+len(federationTables))
	for _, s := range settings {
		if s.set != nil {
			names = append(names, s.key)
		}
		value, there := doc.values[s.key]
		if !there {
			continue
		}
		value, err := s.read(value)
		if err != nil {
			doc.problem([]string{s.key}, "%s %w", s.key, err)
			continue
		}
		if path, isText := value.(string); s.path && isText && path != "" {
			if path, err = expandHome(path); err != nil {
				doc.problem([]string{s.key}, "%s: %w", s.key, err)
				continue
			}
			if !filepath.IsAbs(path) {
				path = filepath.Join(filepath.Dir(c.file), path)
			}
			value = path
		}
		c.settings[s.key] = value
	}
	names = append(names, federationTables...)
	for key := range doc.values {
		if slices.Contains(names, key) || slices.ContainsFunc(settings, func(s setting) bool { return s.key == key }) {
			continue
		}
		hint := ""
		if meant := cmp.Or(settingMeant(key), nearest(key, federationTables)); meant != "" {
			hint = "; did you mean " + meant + "?"
		}
		doc.problem([]string{key}, "there is no key %q; keys are %s%s", key, strings.Join(names, ", "), hint)
	}
	if doc.values["admin_addr"] != nil && doc.values["metrics_port"] != nil {
		doc.problem([]string{"metrics_port"}, "metrics_port is short for admin_addr = \"127.0.0.1:PORT\": give one of them")
	}
}

// apply sets what the file says in cmd, but for flags that were given.
func (c *relayConfig) apply(cmd *relayCmd, given map[string]bool) {
	for _, s := range settings {
		if value, there := c.settings[s.key]; there && s.set != nil && !given[s.flag] {
			s.set(cmd, value)
			cmd.keys[s.flag] = s.key
		}
	}
}

// changedSettings names the settings in which next differs, but for those that flags override.
func (c *relayConfig) changedSettings(next *relayConfig, given map[string]bool) (keys []string) {
	for _, s := range settings {
		if c.settings[s.key] != next.settings[s.key] && !given[s.flag] {
			keys = append(keys, s.key)
		}
	}
	return keys
}

func readString(value any) (any, error) {
	text, ok := value.(string)
	if !ok {
		return nil, fmt.Errorf("is text in quotes, not %s", describeTOML(value))
	}
	return text, nil
}

// readCount reads a number of which least and most are still allowed.
func readCount(least, most int64) func(any) (any, error) {
	return func(value any) (any, error) {
		n, ok := value.(int64)
		if !ok || n < least || n > most {
			return nil, fmt.Errorf("is a number from %d to %d, not %s", least, most, describeTOML(value))
		}
		return int(n), nil
	}
}

// readListen reads an address to listen on: no host means every address of the machine, port 0 any port.
func readListen(value any) (any, error) {
	text, err := readString(value)
	if err != nil {
		return nil, err
	}
	_, port, err := net.SplitHostPort(text.(string))
	if _, bad := strconv.ParseUint(port, 10, 16); err != nil || bad != nil {
		return nil, fmt.Errorf(`is HOST:PORT, such as "0.0.0.0:4433", or ":PORT", not %q`, text)
	}
	return text, nil
}

func readListenOrNone(value any) (any, error) {
	if value == "" {
		return "", nil
	}
	text, err := readListen(value)
	if err != nil {
		err = fmt.Errorf(`%w; "" is for none`, err)
	}
	return text, err
}

func readDirectory(value any) (any, error) {
	if value == "" {
		return nil, fmt.Errorf("is empty: give a directory, or leave it out")
	}
	return readString(value)
}

// readAuthURL knows the key before relays can ask for tokens, so that nobody thinks that theirs does.
func readAuthURL(value any) (any, error) {
	if value == "" {
		return "", nil
	}
	return nil, fmt.Errorf("is not supported by this version, which lets everybody join: leave it out")
}

package main

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"net"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/relay"
	"github.com/wzp-voice/wzp/internal/wire"
)

// The configuration file of wzp relay, TOML 1.0. What lives where:
//
//	FILE -- relay_file_toml.go: values and the line of each, problems
//	          |
//	          |-- relay_file.go: keys that flags override ---------------> relayCmd
//	          '-- relay_file_peers.go: peers, trusted, global rooms -----> relay.FederationConfig
//	                                                                            |
//	SIGHUP -- relay_file_reload.go: reads again, logs what changed -----------'

// maxConfigFile is how long a configuration may be, in bytes: room for thousands of peers.
const maxConfigFile = 1 << 20

// relayConfig is what a configuration file says, checked.
type relayConfig struct {
	file       string
	settings   map[string]any // by the name of a setting; string or int
	federation relay.FederationConfig
}

// setting is a flag of wzp relay: a field of relay.Config with its tag. One with a key is in the file, too.
type setting struct {
	flag, key   string
	form        string // of a text, "" any
	path        bool   // in the file a relative one begins at its directory
	least, most string // of a number; "": it has to be above 0
	field       int    // of relay.Config
}

// settings are in the order in which people are told of them.
var settings = readSettingTags()

// wordsOf splits the name of a field.
var wordsOf = regexp.MustCompile(`([a-z])([A-Z])`)

func readSettingTags() (list []setting) {
	config := reflect.TypeFor[relay.Config]()
	for i := range config.NumField() {
		f := config.Field(i)
		if tag := f.Tag; tag.Get("help") != "" {
			list = append(list, setting{
				flag: cmp.Or(tag.Get("name"), strings.ToLower(wordsOf.ReplaceAllString(f.Name, "$1-$2"))),
				key:  tag.Get("key"), form: tag.Get("form"), path: tag.Get("type") == "home",
				least: tag.Get("least"), most: tag.Get("most"), field: i,
			})
		}
		if f.Name == "Admin" { // its short form
			list = append(list, setting{flag: "admin", key: metricsPort, form: "port", field: i})
		}
	}
	return list
}

const (
	metricsPort = "metrics_port"
	authURL     = "auth_url" // a key that this version only knows
)

// check refuses a number out of bounds.
func (s *setting) check(c *relay.Config) error {
	var value float64
	switch v := reflect.ValueOf(c).Elem().Field(s.field); v.Kind() {
	case reflect.Int:
		value = float64(v.Int())
	case reflect.Float64:
		value = v.Float()
	default:
		return nil
	}
	least, _ := strconv.ParseFloat(s.least, 64)
	most, _ := strconv.ParseFloat(cmp.Or(s.most, "inf"), 64)
	switch {
	case s.least == "" && value > 0 || s.least != "" && value >= least && value <= most:
		return nil
	case s.most != "":
		return fmt.Errorf("must be %s to %s", s.least, s.most)
	case s.least != "":
		return fmt.Errorf("must be %s or more", s.least)
	}
	return errors.New("must be more than 0")
}

// read checks a value of the file, and returns the string or int that it means.
func (s *setting) read(value any, dir string) (any, error) {
	switch s.form {
	case "port":
		port, err := readCount(value, 1, 65535)
		return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), err
	case "addr", "addr?":
		return readListen(value, s.form == "addr?")
	case "directory":
		if value == "" {
			return nil, errors.New("is empty: give a directory, or leave it out")
		}
	case "":
		if !s.path {
			least, _ := strconv.Atoi(cmp.Or(s.least, "1"))
			return readCount(value, least, math.MaxInt32)
		}
	}
	path, ok := value.(string)
	if !ok {
		return nil, fmt.Errorf("is text in quotes, not %s", describeTOML(value))
	}
	path, err := expandHome(path)
	if err == nil && path != "" && !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	return path, err
}

// readRelayConfig reads and checks a file. own is the relay's own fingerprint, if it has one already; it is
// asked after the settings are read, for they may say where it is. All problems are found, each with its
// line: the error is then a configErrors.
func readRelayConfig(file string, own func(*relayConfig) (identity.Fingerprint, bool)) (*relayConfig, error) {
	text, _, err := readSmall(file, maxConfigFile)
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
	r := federationReader{doc: doc, ids: make(map[wire.RelayID]seenRelay)}
	if known {
		r.own = &fingerprint
	}
	c.federation = r.read()
	return c, doc.err()
}

// readConfig sets what --config says, but for flags that were given; nil if there is no --config. Of several
// mistakes it prints all but the last, which is the error.
func (c *relayCmd) readConfig(given givenFlags) (*relayConfig, error) {
	switch {
	case given["config"] && c.File == "":
		return nil, usagef("--config is empty: give the name of a file")
	case c.File == "" && c.CheckConfig:
		return nil, usagef("--check-config needs --config FILE")
	case c.File == "":
		return nil, nil
	}
	c.keys = make(map[string]string)
	config, err := readRelayConfig(c.File, func(config *relayConfig) (identity.Fingerprint, bool) {
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

// ownFingerprint is that of the identity that the relay has. Checking a configuration makes none, and what is
// wrong with the file is said when the relay starts.
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

// readSettings reads all keys that are not tables, and refuses those that do not exist.
func (c *relayConfig) readSettings(doc *tomlDocument) {
	names := append(settingKeys(), federationTables...)
	for _, s := range settings {
		value, there := doc.values[s.key]
		if !there || s.key == "" {
			continue
		}
		value, err := s.read(value, filepath.Dir(c.file))
		if err != nil {
			doc.problem([]string{s.key}, "%s %w", s.key, err)
			continue
		}
		c.settings[s.key] = value
	}
	for key, value := range doc.values {
		switch {
		case slices.Contains(names, key), key == authURL && value == "":
		case key == authURL: // so that nobody thinks that their relay asks for tokens
			const wrong = "%s is not supported by this version, which lets everybody join: leave it out"
			doc.problem([]string{key}, wrong, key)
		default:
			keys := strings.Join(names, ", ")
			if meant := cmp.Or(settingMeant(key), nearest(key, federationTables)); meant != "" {
				keys += "; did you mean " + meant + "?"
			}
			doc.problem([]string{key}, "there is no key %q; keys are %s", key, keys)
		}
	}
	if doc.values["admin_addr"] != nil && doc.values[metricsPort] != nil {
		const wrong = `metrics_port is short for admin_addr = "127.0.0.1:PORT": give one of them`
		doc.problem([]string{metricsPort}, wrong)
	}
}

// settingKeys are the keys of settings.
func settingKeys() (keys []string) {
	for _, s := range settings {
		if s.key != "" {
			keys = append(keys, s.key)
		}
	}
	return keys
}

// apply sets what the file says in cmd, but for flags that were given.
func (c *relayConfig) apply(cmd *relayCmd, given givenFlags) {
	for _, s := range settings {
		if value, there := c.settings[s.key]; there && !given[s.flag] {
			reflect.ValueOf(&cmd.Config).Elem().Field(s.field).Set(reflect.ValueOf(value))
			cmd.keys[s.flag] = s.key
		}
	}
}

// changedSettings names the settings in which next differs, but for those that flags override.
func (c *relayConfig) changedSettings(next *relayConfig, given givenFlags) (keys []string) {
	for _, s := range settings {
		if s.key != "" && c.settings[s.key] != next.settings[s.key] && !given[s.flag] {
			keys = append(keys, s.key)
		}
	}
	return keys
}

// readCount reads a number of which least and most are still allowed.
func readCount(value any, least, most int) (int, error) {
	n, ok := value.(int64)
	if !ok || n < int64(least) || n > int64(most) {
		return 0, fmt.Errorf("is a number from %d to %d, not %s", least, most, describeTOML(value))
	}
	return int(n), nil
}

// readListen reads an address to listen on: no host means every address of the machine, port 0 any port.
func readListen(value any, orNone bool) (string, error) {
	text, ok := value.(string)
	if !ok {
		return "", fmt.Errorf("is text in quotes, not %s", describeTOML(value))
	}
	_, port, err := net.SplitHostPort(text)
	_, bad := strconv.ParseUint(port, 10, 16)
	if err == nil && bad == nil || text == "" && orNone {
		return text, nil
	}
	none := ""
	if orNone {
		none = `; "" is for none`
	}
	return "", fmt.Errorf(`is HOST:PORT, such as "0.0.0.0:4433", or ":PORT", not %q%s`, text, none)
}

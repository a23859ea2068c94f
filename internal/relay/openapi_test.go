package relay

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/wzp-voice/wzp/internal/presence"
)

// openAPIDoc is openapi.json, with what the test needs of it.
type openAPIDoc struct {
	OpenAPI string
	Paths   map[string]map[string]struct {
		Summary    string
		Parameters []map[string]any
		Responses  map[string]map[string]any
		Security   *[]map[string]any
	}
	Components struct{ Responses map[string]map[string]any }
}

// contract checks answers of a running relay against openapi.json.
type contract struct {
	t       *testing.T
	doc     openAPIDoc
	schemas *jsonschema.Compiler
}

func newContract(t *testing.T) *contract {
	c := &contract{t: t, schemas: jsonschema.NewCompiler()}
	if err := json.Unmarshal(openAPI, &c.doc); err != nil {
		t.Fatal(err)
	}
	all, err := jsonschema.UnmarshalJSON(bytes.NewReader(openAPI))
	if err != nil {
		t.Fatal(err)
	}
	strict(all)
	c.schemas.AssertFormat()
	c.schemas.DefaultDraft(jsonschema.Draft2020)
	if err := c.schemas.AddResource("openapi.json", all); err != nil {
		t.Fatal(err)
	}
	return c
}

// strict has objects with properties take no others, so that the file says all that there is.
func strict(value any) {
	switch v := value.(type) {
	case map[string]any:
		if _, object := v["properties"]; object && v["type"] == "object" {
			v["additionalProperties"] = false
		}
		for _, inner := range v {
			strict(inner)
		}
	case []any:
		for _, inner := range v {
			strict(inner)
		}
	}
}

// response returns what the file says of a status, and where in it that stands.
func (c *contract) response(path, status string) (response map[string]any, at string) {
	response = c.doc.Paths[path]["get"].Responses[status]
	if ref, ok := response["$ref"].(string); ok {
		name := strings.TrimPrefix(ref, "#/components/responses/")
		return c.doc.Components.Responses[name], "/components/responses/" + name
	}
	return response, "/paths/" + strings.ReplaceAll(path, "/", "~1") + "/get/responses/" + status
}

// check compares an answer with what the file says.
func (c *contract) check(path string, got reply) {
	c.t.Helper()
	status := strconv.Itoa(got.status)
	response, at := c.response(path, status)
	if response == nil {
		c.t.Errorf("%s answers %s, of which openapi.json says nothing: %s", path, status, got.body)
		return
	}
	kind, _, _ := strings.Cut(got.header.Get("Content-Type"), ";")
	content, _ := response["content"].(map[string]any)
	if _, said := content[kind]; !said {
		c.t.Errorf("%s %s: is %q, openapi.json says %v", path, status, kind, slices.Collect(maps.Keys(content)))
		return
	}
	headers, _ := response["headers"].(map[string]any)
	for name := range headers {
		if name == "WWW-Authenticate" && got.header.Get(name) == "" {
			c.t.Errorf("%s %s has no %s", path, status, name)
		}
	}
	if kind != "application/json" {
		return
	}
	schema, err := c.schemas.Compile("openapi.json#" + at + "/content/application~1json/schema")
	if err != nil {
		c.t.Fatal(err)
	}
	body, err := jsonschema.UnmarshalJSON(strings.NewReader(got.body))
	if err == nil {
		err = schema.Validate(body)
	}
	if err != nil {
		c.t.Errorf("%s %s: %v\n%s", path, status, err, got.body)
	}
}

// TestOpenAPI asks a running relay for all that openapi.json describes, and wants it to describe all.
func TestOpenAPI(t *testing.T) {
	inMesh(t, func(m *mesh) {
		c := newContract(t)
		n, known := m.describedRelay()
		here, elsewhere := n.operator("127.0.0.1", testToken), n.operator("192.0.2.7", testToken)
		closed, rebound := n.operator("192.0.2.7", ""), n.operator("127.0.0.1", testToken)
		rebound.host = "evil.example"
		stopped := m.node().up()
		stopping := stopped.operator("127.0.0.1", "")
		stopped.stop()

		served := []string{"/healthz", "/readyz", "/metrics", "/openapi.json"}
		for _, route := range apiRoutes {
			served = append(served, route.path)
		}
		slices.Sort(served)
		if described := slices.Sorted(maps.Keys(c.doc.Paths)); !slices.Equal(described, served) {
			t.Errorf("openapi.json describes %q, there are %q", described, served)
		}
		if !strings.HasPrefix(c.doc.OpenAPI, "3.1.") {
			t.Errorf("it is OpenAPI %q", c.doc.OpenAPI)
		}
		for path, operations := range c.doc.Paths {
			operation, onlyGet := operations["get"], len(operations) == 1
			if !onlyGet || operation.Summary == "" || strings.Contains(path, "{") != hasPathParameter(operation.Parameters) {
				t.Errorf("%s is described by %+v", path, operations)
			}
			for status := range operation.Responses {
				o, fill := here, known
				query := ""
				switch status {
				case "400":
					fill = "nobody"
					query = "?limit=0"
				case "401":
					o = elsewhere
				case "403":
					o = closed
				case "404":
					fill = fingerprintText
				case "421":
					o = rebound
				case "503":
					o = stopping
				}
				got := o.ask(http.MethodGet, strings.ReplaceAll(path, "{fingerprint}", fill)+query)
				if strconv.Itoa(got.status) != status {
					t.Errorf("%s: %d %s, want %s", path, got.status, got.body, status)
				}
				c.check(path, got)
				if path == "/presence" && status == "200" && strings.Count(got.body, `"hash"`) != 1 {
					t.Errorf("there is somebody beyond peers: %s", got.body)
				}
			}
			// What it says of security holds.
			open := operation.Security != nil && len(*operation.Security) == 0
			got := closed.ask(http.MethodGet, strings.ReplaceAll(path, "{fingerprint}", known))
			if (got.status == http.StatusOK) != open {
				t.Errorf("%s from elsewhere: %d", path, got.status)
			}
			c.check(path, got)
		}
	})
}

func hasPathParameter(list []map[string]any) bool {
	return slices.ContainsFunc(list, func(p map[string]any) bool { return p["in"] == "path" })
}

// describedRelay returns a relay of which each list has all kinds of items, and the fingerprint of somebody
// that it knows.
func (m *mesh) describedRelay() (n *node, known string) {
	a, b, c, d := m.node(), m.node(), m.node(), m.node()
	a.knows(b)
	b.knows(d)
	a.peers = append(a.peers, FederationPeer{Fingerprint: newIdentity(100).Fingerprint(), Label: "away"},
		FederationPeer{Fingerprint: newIdentity(101).Fingerprint(), Label: "dead", Address: "192.0.2.9:1"})
	a.config.Probe = []string{c.addr.String(), "192.0.2.9:1"}
	for _, n := range []*node{a, b, c, d} {
		for i := range n.peers {
			n.peers[i].Presence = presence.Mesh
		}
		n.up()
	}
	m.linked(a, b)
	m.linked(b, d)
	p := a.joined(privateRoom)
	b.line(true)
	d.line(true)
	time.Sleep(time.Minute)
	return a, p.id.Fingerprint().String()
}

// TestOpenAPIIsStrict sees that the check notices what it should.
func TestOpenAPIIsStrict(t *testing.T) {
	for name, r := range map[string]reply{
		"a missing field": {status: 404, body: `{}`}, "another field": {status: 404, body: `{"error":"x","more":1}`},
		"no JSON": {status: 404, body: `no`}, "a status": {status: 418, body: `{"error":"x"}`},
		"a location":  {status: 200, body: `{"fingerprint":"` + fingerprintText + `","location":"local","available":true}`},
		"an identity": {status: 200, body: `{"fingerprint":"x","location":"Local","available":true}`},
		"nobody":      {status: 200, body: `{"location":"Local","available":true}`},
	} {
		silent := &testing.T{}
		c := newContract(t)
		c.t = silent
		r.header = http.Header{"Content-Type": {"application/json"}}
		c.check("/presence/{fingerprint}", r)
		if !silent.Failed() {
			t.Errorf("%s is not noticed", name)
		}
	}
}

package call

import (
	"slices"
	"sync"

	"github.com/wzp-voice/wzp/internal/wire"
)

// maxLineInbox is how many urgent messages of the relay wait for run: more are not accepted, and come again.
const maxLineInbox = 256

// lineInbox is what came by a line's session and waits for run: to open an offer takes as long as to play a
// hundred frames. The zero value is empty.
type lineInbox struct {
	mu       sync.Mutex // guards what follows
	messages []lineMessage
	fresh    bool // the session is a new one, of which the relay knows nothing
	renewed  bool // the reach record is to be told anew
}

type lineMessage struct {
	kind wire.UrgentKind
	body []byte
}

// put queues a message, which is copied. It is not accepted when too many wait.
func (in *lineInbox) put(kind wire.UrgentKind, body []byte) (accepted bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if len(in.messages) >= maxLineInbox {
		return false
	}
	in.messages = append(in.messages, lineMessage{kind, slices.Clone(body)})
	return true
}

// opened notes that there is a new session. What came by the one before counts for nothing any more.
func (in *lineInbox) opened() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.messages, in.fresh = nil, true
}

// renew has the reach record told anew.
func (in *lineInbox) renew() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.renewed = true
}

// take returns what waits, and whether it came by a new session and the record is to be told.
func (in *lineInbox) take() (messages []lineMessage, fresh, renew bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	messages, fresh, renew = in.messages, in.fresh, in.renewed
	in.messages, in.fresh, in.renewed = nil, false, false
	return messages, fresh, renew
}

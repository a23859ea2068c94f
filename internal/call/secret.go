package call

import "github.com/wzp-voice/wzp/internal/e2ee"

// Secret is a room's invite secret: 32 random bytes that members share by other means than the relay. It prints as
// "secret"; Text is what people pass on.
type Secret = e2ee.Secret

// NewSecret returns a new one.
func NewSecret() *Secret { return e2ee.NewSecret() }

// ParseSecret reads what Text returned. Passwords are refused.
func ParseSecret(text string) (*Secret, error) { return e2ee.ParseSecret(text) }

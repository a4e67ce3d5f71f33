package runner

import (
	"errors"
	"strings"
	"time"

	"github.com/pquerna/otp/totp"
)

// factTOTP keeps the one-time-code secret that was enrolled, until the account is proved.
const factTOTP = "_totp"

// totpCode is the six-digit code of a base32 secret at a time (RFC 6238, 30 s, SHA-1).
func totpCode(secret string, at time.Time) (string, error) {
	clean := strings.NewReplacer(" ", "", "-", "").Replace(secret)
	code, err := totp.GenerateCode(clean, at)
	if err != nil {
		return "", errors.New("the one-time-code secret is not base32")
	}
	return code, nil
}

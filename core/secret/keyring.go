package secret

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Sentinels of Keyring.
var (
	// ErrWrongKey says that the ledger was sealed under another master key.
	ErrWrongKey = errors.New("this is not the master key that sealed the ledger; put the right one back, nothing was changed")
	// ErrDamaged says that a sealed text is cut, altered, or belongs to another row.
	ErrDamaged = errors.New("the sealed text does not open: it is damaged, or belongs to another row or master key")
)

// The layout of a sealed text: version, salt, the wrapped data key, the text.
const (
	sealVersion = 1
	saltSize    = 16
	nonceSize   = 12
	tagSize     = 16
	wrapSize    = nonceSize + keySize + tagSize
	headSize    = 1 + saltSize + wrapSize
	checkSize   = 1 + sha256.Size
)

// Keyring seals and opens under one master key. It is safe for concurrent use,
// and prints as a word without the key.
type Keyring struct {
	master []byte
	mac    []byte
	check  []byte
}

func newKeyring(master []byte) (*Keyring, error) {
	k := &Keyring{master: master}
	var err error
	if k.mac, err = hkdf.Key(sha256.New, master, nil, "rollcall mac v1", keySize); err != nil {
		return nil, fmt.Errorf("master key: %w", err)
	}
	check, err := hkdf.Key(sha256.New, master, nil, "rollcall check v1", sha256.Size)
	if err != nil {
		return nil, fmt.Errorf("master key: %w", err)
	}
	k.check = append([]byte{sealVersion}, check...)
	return k, nil
}

// Format keeps the key out of every fmt verb.
func (k *Keyring) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "secret.Keyring(•••)") }

// Seal encrypts plain under a new data key. aad says what the text is, task and
// field for example; Open needs the same words. Two seals of one text differ.
func (k *Keyring) Seal(plain []byte, aad string) ([]byte, error) {
	out := make([]byte, 1+saltSize, headSize+nonceSize+len(plain)+tagSize)
	out[0] = sealVersion
	dataKey := make([]byte, keySize)
	if _, err := rand.Read(out[1:]); err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	if _, err := rand.Read(dataKey); err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	wrap, err := k.wrapper(out[1:])
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	out = wrap.Seal(out, nil, dataKey, bound("key", aad))
	data, err := gcm(dataKey)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	return data.Seal(out, nil, plain, bound("text", aad)), nil
}

// Open decrypts what Seal made with the same aad. Everything that does not open
// is ErrDamaged; a version that this build does not know is an error of its own.
func (k *Keyring) Open(sealed []byte, aad string) ([]byte, error) {
	if len(sealed) == 0 {
		return nil, ErrDamaged
	}
	if sealed[0] != sealVersion {
		return nil, fmt.Errorf("the sealed text has format %d, which this rollcall does not know: %w", sealed[0], ErrDamaged)
	}
	if len(sealed) < headSize+nonceSize+tagSize {
		return nil, ErrDamaged
	}
	wrap, err := k.wrapper(sealed[1 : 1+saltSize])
	if err != nil {
		return nil, fmt.Errorf("open: %w", err)
	}
	dataKey, err := wrap.Open(nil, nil, sealed[1+saltSize:headSize], bound("key", aad))
	if err != nil {
		return nil, ErrDamaged
	}
	data, err := gcm(dataKey)
	if err != nil {
		return nil, fmt.Errorf("open: %w", err)
	}
	plain, err := data.Open(nil, nil, sealed[headSize:], bound("text", aad))
	if err != nil {
		return nil, ErrDamaged
	}
	return plain, nil
}

// Check returns the key check value, which tells master keys apart and reveals
// nothing of them. The ledger stores it beside the first sealed row.
func (k *Keyring) Check() []byte { return append([]byte(nil), k.check...) }

// Verify compares a stored key check value with this key's: ErrWrongKey when
// they differ.
func (k *Keyring) Verify(check []byte) error {
	if len(check) != checkSize || !hmac.Equal(check, k.check) {
		return ErrWrongKey
	}
	return nil
}

// Mac returns a keyed hash of 32 bytes, for comparing what must not be stored,
// such as the identities of deleted accounts. domain keeps different uses apart;
// each piece is hashed with its length, so that ("ab", "c") and ("a", "bc") differ.
func (k *Keyring) Mac(domain string, data ...string) []byte {
	h := hmac.New(sha256.New, k.mac)
	var size [8]byte
	for i := -1; i < len(data); i++ {
		piece := domain
		if i >= 0 {
			piece = data[i]
		}
		binary.BigEndian.PutUint64(size[:], uint64(len(piece)))
		h.Write(size[:])
		_, _ = io.WriteString(h, piece)
	}
	return h.Sum(nil)
}

// wrapper is the cipher that wraps one data key. Its key is derived with the
// row's salt, so that no number of rows exhausts the master key's nonces.
func (k *Keyring) wrapper(salt []byte) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, k.master, salt, "rollcall wrap v1", keySize)
	if err != nil {
		return nil, err
	}
	return gcm(key)
}

func gcm(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// bound is what a layer is authenticated with besides its own text.
func bound(layer, aad string) []byte {
	return []byte("rollcall/" + layer + "/" + string(rune('0'+sealVersion)) + "/" + aad)
}

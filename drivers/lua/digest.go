package lua

import "bytes"

// Digest is the SHA-256 of the script and of the lib files it requires. It runs
// nothing, and compiles only what may require a lib: whether the script is sound
// is for Load to say. The error is a *LoadError.
func Digest(src Source) (string, error) {
	if !bytes.Contains(src.Text, []byte("require")) {
		return digest(src.Text, nil), nil
	}
	src.Digest = ""
	prog, err := compile(src)
	if err != nil {
		return "", err
	}
	return prog.digest, nil
}

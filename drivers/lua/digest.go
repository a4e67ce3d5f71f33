package lua

// Digest is the SHA-256 of the script and of the lib files it requires. It
// compiles, and runs nothing. The error is a *LoadError.
func Digest(src Source) (string, error) {
	src.Digest = ""
	prog, err := compile(src)
	if err != nil {
		return "", err
	}
	return prog.digest, nil
}

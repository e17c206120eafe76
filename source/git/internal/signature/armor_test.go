package signature

import "testing"

func TestDearmor(t *testing.T) {
	const begin, end = "-----BEGIN PGP SIGNATURE-----\n", "-----END PGP SIGNATURE-----"
	for text, want := range map[string]string{
		begin + "\naGVsbG8=\n" + end:                               "hello",
		begin + "Comment: x\n\naGVs\nbG8=\n=QZNM\n" + end + "\n\n": "",
		begin + "Comment: x\n \naGVs\r\nbG8=\r\n" + end + "\r\n":   "hello",
		begin + "\naGVsbG9=\n" + end:                               "", // bits that mean nothing are not zero
		begin + "\naGVsbG8\n" + end:                                "",
		begin + "\naGVsbG8=aGVs\n" + end:                           "",
		begin + "aGVsbG8=\n" + end:                                 "",
		begin + "Comment\n\naGVsbG8=\n" + end:                      "",
		begin + "\naGVsbG8=\n=x\n" + end:                           "",
		begin + "\naGVsbG8=\n=!!!!\n" + end:                        "",
		begin + "\n\n" + end:                                       "",
		begin + end:                                                "",
		begin + "\naGVsbG8=\n" + end + "x":                         "",
		" " + begin + "\naGVsbG8=\n" + end:                         "",
		begin + "\naGVsbG8=\n=" + checksumOfHello + "\n" + end:     "hello",
		"": "",
	} {
		data, err := dearmor([]byte(text), pgpSignature)
		if string(data) != want || (err == nil) != (want != "") {
			t.Errorf("%q: got %q, %v", text, data, err)
		}
	}
}

// What gpg --enarmor writes under these five letters.
const checksumOfHello = "R/WK"

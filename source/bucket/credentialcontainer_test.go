package bucket

import "testing"

// A container asks only where such a service can be.
func TestAddressesOfContainerServices(t *testing.T) {
	for full, good := range map[string]bool{
		"http://169.254.170.2/x": true, "http://169.254.170.23/v1/credentials": true, "http://[fd00:ec2::23]/v1": true,
		"http://localhost:1/": true, "http://127.0.0.1:1/": true, "http://[::1]/": true, "https://example.com/x": true, "HTTPS://example.com": true,
		"http://169.254.169.254/": false, "http://10.0.0.1/": false, "http://example.com/": false, "http://127.0.0.1.example.com/": false,
		"http://localhost.example.com": false,
		"ftp://127.0.0.1/":             false, "//127.0.0.1/": false, "http://": false, "https://u:p@example.com": false,
		"http://127.0.0.1@example.com/": false, "::": false,
	} {
		got, err := containerURL(func(name string) string {
			return map[string]string{"AWS_CONTAINER_CREDENTIALS_FULL_URI": full}[name]
		})
		if (err == nil) != good || good && got != full {
			t.Errorf("%s: got %q, %v", full, got, err)
		}
	}
	for path, want := range map[string]string{
		"/v2/x?id=1": "http://169.254.170.2/v2/x?id=1", "x": "", "@example.com/": "", ".example.com/": "",
	} {
		got, err := containerURL(func(name string) string {
			return map[string]string{"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": path}[name]
		})
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%s: got %q, %v", path, got, err)
		}
	}
}

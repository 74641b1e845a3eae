package masking

import (
	"net/netip"
	"slices"
)

// A Caller is who opened a session, by what the database authenticated, the
// network and the client's certificate.
type Caller struct {
	User            string
	Database        string
	Application     string
	Address         netip.Addr // invalid on a unix socket
	CertificateName string     // of a verified client certificate, else empty
}

// A callerRule gives a role to some callers.
type callerRule struct {
	spec     CallerSpec
	networks []netip.Prefix
	role     *Role
}

func (r callerRule) match(c Caller) bool {
	return matchField(r.spec.User, c.User) &&
		matchField(r.spec.Database, c.Database) &&
		matchField(r.spec.Application, c.Application) &&
		matchField(r.spec.Certificate, c.CertificateName) &&
		r.matchNetwork(c.Address)
}

// matchField reports whether a field that is given matches; an empty value
// matches no field that is given, so that "*" still asks for a certificate.
func matchField(pattern, text string) bool {
	return pattern == "" || text != "" && matchGlob(pattern, text)
}

func (r callerRule) matchNetwork(address netip.Addr) bool {
	address = address.Unmap().WithZone("")
	return len(r.networks) == 0 || slices.ContainsFunc(r.networks, func(network netip.Prefix) bool {
		return network.Contains(address)
	})
}

// covers reports whether the rule certainly matches every caller that other
// matches.
func (r callerRule) covers(other callerRule) bool {
	return coversField(r.spec.User, other.spec.User) &&
		coversField(r.spec.Database, other.spec.Database) &&
		coversField(r.spec.Application, other.spec.Application) &&
		coversField(r.spec.Certificate, other.spec.Certificate) &&
		r.coversNetworks(other)
}

func coversField(pattern, other string) bool {
	return pattern == "" || other != "" && coversGlob(pattern, other)
}

func (r callerRule) coversNetworks(other callerRule) bool {
	if len(r.networks) == 0 {
		return true
	}
	return len(other.networks) > 0 && !slices.ContainsFunc(other.networks, func(inner netip.Prefix) bool {
		return !slices.ContainsFunc(r.networks, func(outer netip.Prefix) bool {
			return outer.Bits() <= inner.Bits() && outer.Contains(inner.Addr())
		})
	})
}

// parseNetwork reads a CIDR block or a single address.
func parseNetwork(text string) (netip.Prefix, error) {
	if address, err := netip.ParseAddr(text); err == nil {
		address = address.Unmap()
		return netip.PrefixFrom(address, address.BitLen()), nil
	}
	return netip.ParsePrefix(text)
}

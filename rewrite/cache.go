package rewrite

import (
	"hash/maphash"
	"math"
	"strings"
	"sync"
	"unsafe"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// A planKey is everything that decides a plan. The text is the client's own, or
// its shape: a fingerprint would let statements with other columns share a plan.
type planKey struct {
	shape                                          bool // text is one
	text, role, policy, database, user, mode, path string
	catalog                                        uint64
}

func keyOf(scope *Scope, text string) planKey {
	path := scope.path
	if path == "" {
		path = joinPath(scope.SearchPath)
	}
	return planKey{
		text: text, role: scope.Role.Name(), policy: scope.Policy.Version(),
		database: scope.Database, user: scope.User, mode: scope.Mode,
		path: path, catalog: scope.Catalog.Version(),
	}
}

// joinPath makes one string of a search path; a name cannot hold a NUL.
func joinPath(path []string) string {
	if len(path) == 1 {
		return path[0]
	}
	return strings.Join(path, "\x00")
}

// largestCached bounds the texts worth remembering, in bytes: a bulk INSERT
// will not come again and would push out a thousand small plans.
const largestCached = 32 << 10

// cacheShards keeps sessions from waiting for each other.
const cacheShards = 16

// cache is a sharded LRU of plans, bounded by the memory that they take.
type cache struct {
	seed   maphash.Seed
	shards [cacheShards]shard
}

type shard struct {
	mu    sync.Mutex // guards all
	plans *simplelru.LRU[planKey, remembered]
	held  int // bytes, about
	most  int // bytes
}

// A remembered text is its plans and about how many bytes it takes.
type remembered struct {
	plans []*Plan
	size  int
}

// newCache returns a cache of about so many bytes.
func newCache(size int) *cache {
	c := &cache{seed: maphash.MakeSeed()}
	for i := range c.shards {
		s := &c.shards[i]
		s.most = size / cacheShards
		plans, err := simplelru.NewLRU(math.MaxInt, func(_ planKey, gone remembered) { s.held -= gone.size })
		if err != nil {
			panic(err) // only a size below 1 fails
		}
		s.plans = plans
	}
	return c
}

func (c *cache) shard(k planKey) *shard {
	return &c.shards[maphash.String(c.seed, k.text)%cacheShards]
}

func (c *cache) get(k planKey) ([]*Plan, bool) {
	s := c.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	found, ok := s.plans.Get(k)
	return found.plans, ok
}

func (c *cache) put(k planKey, plans []*Plan) {
	if len(k.text) > largestCached {
		return
	}
	size := sizeOf(k, plans)
	s := c.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.plans.Remove(k) // somebody else may have planned it meanwhile
	s.plans.Add(k, remembered{plans, size})
	s.held += size
	for s.held > s.most {
		s.plans.RemoveOldest()
	}
}

// entryOverhead is about what the LRU takes for an entry: a place in its map and
// one in its list.
const entryOverhead = 2*int(unsafe.Sizeof(planKey{})) + 128

// sizeOf is about how many bytes a text's plans take that they do not share with
// others, as they share the catalog's columns and the policy's masks.
func sizeOf(k planKey, plans []*Plan) int {
	size := entryOverhead + len(k.text)
	for _, p := range plans {
		size += p.size()
	}
	return size
}

// size is about how many bytes a plan takes.
func (p *Plan) size() int {
	size := int(unsafe.Sizeof(*p)) + len(p.Text) + len(p.Fingerprint) + len(p.SQL) + len(p.Effect.Prepared) +
		len(p.Outputs)*int(unsafe.Sizeof(Output{})) + len(p.Uses)*int(unsafe.Sizeof(Use{})) +
		len(p.Objects)*int(unsafe.Sizeof(Object{})) + len(p.Persons)*int(unsafe.Sizeof(Person{})) +
		len(p.Guards)*int(unsafe.Sizeof(Guard{}))
	for i := range p.Outputs {
		size += len(p.Outputs[i].Name) + len(p.Outputs[i].Sources)*int(unsafe.Sizeof(uintptr(0)))
	}
	for i := range p.Objects {
		size += len(p.Objects[i].Column)
	}
	if p.Effect.Cursor != nil {
		size += p.Effect.Cursor.size()
	}
	return size
}

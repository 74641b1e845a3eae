package rewrite

import (
	"hash/maphash"
	"strings"

	lru "github.com/hashicorp/golang-lru/v2"
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

// cache is a sharded LRU of plans.
type cache struct {
	seed   maphash.Seed
	shards [cacheShards]*lru.Cache[planKey, []*Plan]
}

func newCache(size int) *cache {
	c := &cache{seed: maphash.MakeSeed()}
	for i := range c.shards {
		shard, err := lru.New[planKey, []*Plan](max(size/cacheShards, 1))
		if err != nil {
			panic(err) // only a size below 1 fails
		}
		c.shards[i] = shard
	}
	return c
}

func (c *cache) shard(k planKey) *lru.Cache[planKey, []*Plan] {
	return c.shards[maphash.String(c.seed, k.text)%cacheShards]
}

func (c *cache) get(k planKey) ([]*Plan, bool) { return c.shard(k).Get(k) }

func (c *cache) put(k planKey, plans []*Plan) {
	if len(k.text) <= largestCached {
		c.shard(k).Add(k, plans)
	}
}

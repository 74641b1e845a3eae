package masking

// Policy, Role, Class and Label are declared here.
type (
	Policy struct{}
	Role   struct{}
	Class  struct{}
)

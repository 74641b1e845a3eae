// Package session is where plan, mask and audit meet, for every wire protocol.
//
// A [Server] accepts connections and hands each to a [Relay], which speaks one
// protocol and keeps a [Session] for it. The contract between the two is four
// calls, and each protocol has its own event for each of them:
//
//	Prepare   a text arrives: plan its statements (Parse, Query, COM_QUERY)
//	Begin     a statement is about to be sent: record it (Query, Execute)
//	Describe  the server tells the columns: which masks do they get (RowDescription)
//	End       the statement is complete: record the outcome (CommandComplete)
//
// A relay gets neither a plan nor a mask except through them, so it can forget
// neither the policy nor the audit log.
//
// A Session also keeps what statements change about the meaning of later ones:
// the search path, the catalog as this session alone sees it, prepared
// statements and cursors. Statements that are still in flight may be about to
// change it. So for a role with masks, before a statement is planned that
// depends on such a change, the session lets its [Wire] wait for the answers,
// and asks the server itself what is unknown then.
//
// One goroutine of the relay calls Prepare and Begin, another one Describe and
// End; the package calls them the up and the down side.
package session

// Package loop lets sessions wait for their sockets without a goroutine's way
// through the scheduler.
//
// A session of a proxy reads a message, writes it on, and waits. The runtime parks
// a goroutine for that and later finds it work on some thread, which costs more than
// the message does. Here a session is a coroutine, a [Task]. A [Loop] asks the
// kernel for all sockets that have something to read (epoll, edge-triggered) and
// resumes the task of each, which runs on the thread of the loop until it waits
// again. What a task does between two waits is plain sequential code.
//
//	task.go     the coroutine and its turns
//	side.go     what a task waits for: one direction of a socket, or a Bell
//	loop.go     the queue of tasks that may go on, and the leader who resumes them
//	relief.go   a leader whom a task holds up is relieved by another
//	socket.go   a connection taken out of the runtime's hands
//	epoll_linux.go
//
// A task that has to wait for something else, a lock that is held for long, a disk or
// another program, first says [Task.Aside] and goes on in a goroutine of its own. If
// one does not, nothing breaks: the loop gets another leader after a moment.
//
// https://man7.org/linux/man-pages/man7/epoll.7.html
package loop

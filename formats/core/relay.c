#include "formats/core/relay.h"

#include "formats/core/memory.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>

enum { JOBS_MAX = 256 };

struct run {
	const struct phi_relay *relay;
	pthread_mutex_t lock;
	pthread_cond_t turn; /* a turn or the failure moved on */
	uint64_t next;	     /* the next ticket to hand out */
	uint64_t read_turn, write_turn;
	uint64_t failed; /* the first failed ticket so far, or UINT64_MAX */
	struct phi_err err; /* its error */
};

static int
fail_at(struct run *run, uint64_t ticket, const struct phi_err *err)
{
	pthread_mutex_lock(&run->lock);
	if (ticket < run->failed) {
		run->failed = ticket;
		run->err = *err;
	}
	pthread_cond_broadcast(&run->turn);
	pthread_mutex_unlock(&run->lock);
	return -1;
}

/* Waits until it is this ticket's turn; false if an earlier ticket failed, so the turn never comes. */
static bool
wait_turn(struct run *run, const uint64_t *turn, uint64_t ticket)
{
	pthread_mutex_lock(&run->lock);
	while (*turn != ticket && run->failed > ticket)
		pthread_cond_wait(&run->turn, &run->lock);
	const bool mine = *turn == ticket && run->failed > ticket;
	pthread_mutex_unlock(&run->lock);
	return mine;
}

static void
pass_turn(struct run *run, uint64_t *turn)
{
	pthread_mutex_lock(&run->lock);
	++*turn;
	pthread_cond_broadcast(&run->turn);
	pthread_mutex_unlock(&run->lock);
}

typedef int station(void *ctx, uint64_t ticket, void *slot, struct phi_err *err);

static int
pass_station(struct run *run, station *at, bool ordered, uint64_t *turn, uint64_t ticket, void *slot)
{
	struct phi_err err = { .kind = PHI_OK };
	if (!at)
		return 0;
	if (ordered && !wait_turn(run, turn, ticket))
		return -1;
	if (at(run->relay->ctx, ticket, slot, &err) < 0)
		return fail_at(run, ticket, &err);
	if (ordered)
		pass_turn(run, turn);
	return 0;
}

static bool
take_ticket(struct run *run, uint64_t *ticket)
{
	pthread_mutex_lock(&run->lock);
	const bool any = run->next < run->relay->tickets && run->failed == UINT64_MAX;
	if (any)
		*ticket = run->next++;
	pthread_mutex_unlock(&run->lock);
	return any;
}

static void
carry(struct run *run, void *slot)
{
	const struct phi_relay *const r = run->relay;
	uint64_t t;
	while (take_ticket(run, &t)) {
		if (pass_station(run, r->read, r->ordered_read, &run->read_turn, t, slot) < 0 ||
			pass_station(run, r->work, false, NULL, t, slot) < 0 ||
			pass_station(run, r->write, r->ordered_write, &run->write_turn, t, slot) < 0)
			return;
	}
}

struct worker {
	struct run *run;
	void *slot;
	pthread_t thread;
};

static void *
work(void *arg)
{
	const struct worker *const w = arg;
	carry(w->run, w->slot);
	return NULL;
}

unsigned
phi_relay_cpus(void)
{
	cpu_set_t set;
	if (sched_getaffinity(0, sizeof set, &set) < 0)
		return 1;
	const int n = CPU_COUNT(&set);
	return n < 1 ? 1 : (unsigned)n;
}

/* Workers take no signals: the caller's thread does, so a handler runs once and finds it waiting. But
 * SIGPIPE comes to the thread that writes: blocked there, a tool would report what should kill it. */
static unsigned
start_workers(struct worker *workers, unsigned n)
{
	sigset_t all, old;
	unsigned started = 0;
	sigfillset(&all);
	sigdelset(&all, SIGPIPE);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	while (started < n &&
		!pthread_create(&workers[started].thread, NULL, work, &workers[started]))
		started++;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return started;
}

static int
run_workers(struct run *run, struct worker *workers, unsigned jobs, struct phi_err *err)
{
	const struct phi_relay *const r = run->relay;
	unsigned made = 0;
	for (; made < jobs; made++) {
		workers[made].run = run;
		workers[made].slot = phi_calloc(1, r->slot_size ? r->slot_size : 1, made ? NULL : err);
		if (!workers[made].slot)
			break;
	}
	/* Fewer workers than asked for is slower, not wrong: only the first slot must be there. */
	const unsigned started = made > 1 ? start_workers(workers + 1, made - 1) : 0;
	if (made)
		carry(run, workers[0].slot);
	for (unsigned i = 0; i < started; i++)
		pthread_join(workers[i + 1].thread, NULL);
	for (unsigned i = 0; i < made; i++) {
		if (r->drop)
			r->drop(r->ctx, workers[i].slot);
		phi_free(workers[i].slot);
	}
	return made ? 0 : -1;
}

int
phi_relay_run(const struct phi_relay *relay, unsigned jobs, struct phi_err *err)
{
	struct run run = { .relay = relay, .failed = UINT64_MAX };
	if (jobs == 0)
		jobs = phi_relay_cpus();
	if (jobs > relay->tickets)
		jobs = relay->tickets ? (unsigned)relay->tickets : 1;
	if (jobs > JOBS_MAX)
		jobs = JOBS_MAX;
	struct worker *const workers = phi_calloc(jobs, sizeof *workers, err);
	if (!workers)
		return -1;
	pthread_mutex_init(&run.lock, NULL);
	pthread_cond_init(&run.turn, NULL);
	int result = run_workers(&run, workers, jobs, err);
	pthread_cond_destroy(&run.turn);
	pthread_mutex_destroy(&run.lock);
	phi_free(workers);
	if (result == 0 && run.failed != UINT64_MAX) {
		if (err)
			*err = run.err;
		result = -1;
	}
	return result;
}

/* The relay: every ticket once, order where asked, the earliest failure wins whatever the timing. */
#include "formats/core/relay.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

enum { TICKETS = 500 };

struct count {
	atomic_int seen[TICKETS];
	uint64_t read_next, written_next; /* touched in ordered stations only */
	bool ordered;
	uint64_t fail_read, fail_work, fail_write; /* tickets, UINT64_MAX: none */
	atomic_int slots;
};

static void
jitter(uint64_t ticket)
{
	/* Later tickets of each dozen are quicker, to tempt them past the earlier ones. */
	const struct timespec t = { .tv_nsec = (long)(12 - ticket % 12) * 3000 };
	nanosleep(&t, NULL);
}

static int
read_one(void *ctx, uint64_t ticket, void *slot, struct phi_err *err)
{
	struct count *const c = ctx;
	int *const used = slot;
	if (!*used) {
		*used = 1;
		atomic_fetch_add(&c->slots, 1);
	}
	if (c->ordered)
		assert_int_equal(ticket, c->read_next++);
	if (ticket == c->fail_read)
		return phi_fail(err, PHI_FORMAT, "read %d", (int)ticket);
	return 0;
}

static int
work_one(void *ctx, uint64_t ticket, void *slot, struct phi_err *err)
{
	struct count *const c = ctx;
	(void)slot;
	jitter(ticket);
	atomic_fetch_add(&c->seen[ticket], 1);
	if (ticket >= c->fail_work)
		return phi_fail(err, PHI_FORMAT, "work %d", (int)ticket);
	return 0;
}

static int
write_one(void *ctx, uint64_t ticket, void *slot, struct phi_err *err)
{
	struct count *const c = ctx;
	(void)slot;
	if (c->ordered)
		assert_int_equal(ticket, c->written_next++);
	if (ticket == c->fail_write)
		return phi_fail(err, PHI_FORMAT, "write %d", (int)ticket);
	return 0;
}

static int
run(struct count *c, unsigned jobs, struct phi_err *err)
{
	const struct phi_relay relay = { .ctx = c, .tickets = TICKETS, .slot_size = sizeof(int),
		.read = read_one, .work = work_one, .write = write_one,
		.ordered_read = c->ordered, .ordered_write = c->ordered };
	return phi_relay_run(&relay, jobs, err);
}

static struct count
fresh(bool ordered)
{
	return (struct count){ .ordered = ordered, .fail_read = UINT64_MAX, .fail_work = UINT64_MAX,
		.fail_write = UINT64_MAX };
}

static void
test_every_ticket_once(void **state)
{
	(void)state;
	for (unsigned jobs = 1; jobs <= 8; jobs++)
		for (int ordered = 0; ordered < 2; ordered++) {
			struct count c = fresh(ordered);
			assert_int_equal(run(&c, jobs, NULL), 0);
			for (int i = 0; i < TICKETS; i++)
				assert_int_equal(c.seen[i], 1);
			assert_true(c.slots <= (int)jobs);
			if (ordered)
				assert_int_equal(c.written_next, TICKETS);
		}
}

static void
test_earliest_failure_wins(void **state)
{
	(void)state;
	for (unsigned jobs = 1; jobs <= 8; jobs++)
		for (int ordered = 0; ordered < 2; ordered++) {
			struct phi_err err = { .kind = PHI_OK };
			struct count c = fresh(ordered);
			c.fail_work = 37; /* and every one after it */
			c.fail_write = 36;
			assert_int_equal(run(&c, jobs, &err), -1);
			assert_string_equal(err.text, "write 36");
			c = fresh(ordered);
			c.fail_work = 37;
			c.fail_read = 38;
			assert_int_equal(run(&c, jobs, &err), -1);
			assert_string_equal(err.text, "work 37");
			if (ordered)
				assert_int_equal(c.written_next, 37);
		}
}

static void
test_no_tickets(void **state)
{
	(void)state;
	const struct phi_relay relay = { .tickets = 0 };
	assert_int_equal(phi_relay_run(&relay, 4, NULL), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_ticket_once),
		cmocka_unit_test(test_earliest_failure_wins),
		cmocka_unit_test(test_no_tickets),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

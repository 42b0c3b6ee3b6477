#include "cmd/process.h"

#include "formats/core/memory.h"
#include "formats/core/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const int fatal[] = {SIGTERM, SIGINT, SIGHUP, SIGPIPE};

static void
die(int signal_number)
{
	phi_output_abandon_all();
	/* SA_RESETHAND has put the default back; this signal is blocked until we return. */
	raise(signal_number);
}

static void
catch_signals(void)
{
	struct sigaction action = {.sa_handler = die, .sa_flags = (int)SA_RESETHAND};
	sigfillset(&action.sa_mask);
	for (size_t i = 0; i < sizeof fatal / sizeof *fatal; i++) {
		struct sigaction old;
		if (!sigaction(fatal[i], NULL, &old) && old.sa_handler != SIG_IGN)
			sigaction(fatal[i], &action, NULL);
	}
}

void
process_begin(void)
{
	/* Opened the wrong way round, so that using them fails as a closed descriptor does. */
	for (int fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd ? O_RDONLY : O_WRONLY) < 0)
			_exit(CLI_TROUBLE);
	catch_signals();
}

int
process_end(const struct cli *cli, int status)
{
	/* A conversion to stdout has closed it itself, and checked. */
	const bool closed = fcntl(STDOUT_FILENO, F_GETFD) < 0;
	const bool failed = fflush(stdout) || ferror(stdout);
	if (!closed && (fclose(stdout) || failed)) {
		fprintf(stderr, "%s: standard output: %s\n", cli->tool->name,
			errno ? strerror(errno) : "not everything was written");
		return CLI_TROUBLE;
	}
	return status;
}

int
process_main(const struct cli_tool *tool, int argc, char **argv, int (*act)(struct cli *cli))
{
	struct cli cli;
	int status;
	process_begin();
	if (cli_parse(&cli, tool, argc, argv, &status))
		status = act(&cli);
	status = process_end(&cli, status);
	cli_free(&cli);
	return status;
}

static double
now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

void
process_bar_begin(struct process_bar *bar, const struct cli *cli)
{
	*bar = (struct process_bar){.on = !cli->quiet && isatty(STDERR_FILENO),
		.tool = cli->tool->name, .start = now()};
}

void
process_bar_draw(void *ctx, uint64_t done, uint64_t total)
{
	struct process_bar *const bar = ctx;
	const double t = now();
	/* Not in the first second, then five times a second. */
	if (!bar->on || t - bar->start < 1 || t - bar->last < 0.2 || !total)
		return;
	char cells[31];
	const size_t full = (size_t)((double)done / (double)total * 30);
	for (size_t i = 0; i < 30; i++)
		cells[i] = i < full ? '#' : '.';
	cells[30] = '\0';
	fprintf(stderr, "\r%s: [%s] %3d%% %.0f MB/s ", bar->tool, cells,
		(int)((double)done / (double)total * 100), (double)done / 1e6 / (t - bar->start));
	bar->last = t;
	bar->drawn = true;
}

void
process_bar_end(struct process_bar *bar)
{
	if (bar->drawn)
		fputs("\r\033[K", stderr);
	bar->drawn = false;
}

const char *
process_parent(const char *path, char *dst, size_t size)
{
	size_t n = strlen(path);
	while (n > 1 && path[n - 1] == '/')
		n--;
	while (n > 0 && path[n - 1] != '/')
		n--;
	if (n == 0)
		snprintf(dst, size, ".");
	else
		snprintf(dst, size, "%.*s", n > 1 ? (int)n - 1 : 1, path);
	return dst;
}

/* What may still be read: a list of folders that ends in NULL. */
struct reach {
	const char **folders;
	size_t count;
	struct phi_arena *arena;
};

static int
reach_add(struct reach *r, const char *folder, struct phi_err *err)
{
	char *const copy = phi_arena_strdup(r->arena, folder, err);
	if (copy)
		r->folders[r->count++] = copy;
	return copy ? 0 : -1;
}

static bool
is_folder(const char *path)
{
	struct stat st;
	return !stat(path, &st) && S_ISDIR(st.st_mode);
}

/* The folder an operand's members are opened in later; that a file lies in only if it is not open yet, or is checked
 * against the files beside it. */
static int
reach_operand(struct reach *r, const char *operand, bool unopened, struct phi_err *err)
{
	char path[4096];
	if (!strcmp(operand, "-"))
		return 0;
	if (!is_folder(operand))
		return unopened
			? reach_add(r, process_parent(operand, path, sizeof path), err) : 0;
	/* The cache of Hugging Face: links to ../../blobs. */
	snprintf(path, sizeof path, "%s/../../blobs", operand);
	return reach_add(r, operand, err) || (is_folder(path) && reach_add(r, path, err)) ? -1 : 0;
}

static int
enter(const struct reach *r, const char *output, struct phi_err *err)
{
	const char *const tmp = getenv("TMPDIR");
	struct phi_sandbox sandbox = {.more = r->folders};
	char parent[4096];
	size_t nwrite = 0;
	if (output)
		sandbox.write[nwrite++] = process_parent(output, parent, sizeof parent);
	sandbox.write[nwrite++] = tmp && *tmp ? tmp : "/var/tmp";
	return phi_sandbox_enter(&sandbox, err);
}

int
process_confine(const struct cli *cli, const char *output, bool unopened, struct phi_err *err)
{
	struct reach r = {.arena = phi_arena_new(err)};
	r.folders = phi_calloc(2 * (size_t)cli->noperands + 1, sizeof(const char *), err);
	int result = r.arena && r.folders ? 0 : -1;
	for (unsigned i = 0; i < cli->noperands && !result; i++)
		result = reach_operand(&r, cli->operands[i], unopened || cli->check, err);
	if (!result)
		result = enter(&r, output, err);
	phi_free(r.folders);
	phi_arena_free(r.arena);
	return result;
}

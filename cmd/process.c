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

/* The folder an operand's members are opened in later, or NULL if everything of it is open. */
static const char *
folder_of(const char *operand)
{
	struct stat st;
	return strcmp(operand, "-") && !stat(operand, &st) && S_ISDIR(st.st_mode) ? operand : NULL;
}

/* The folders among the operands, and the caches they may link to: ../../blobs, as Hugging Face's. */
static int
list_folders(const struct cli *cli, char **folders, struct phi_err *err)
{
	size_t n = 0;
	for (unsigned i = 0; i < cli->noperands; i++) {
		const char *const folder = folder_of(cli->operands[i]);
		if (!folder)
			continue;
		const size_t size = strlen(folder) + sizeof "/../../blobs";
		folders[n] = phi_alloc(size, err);
		folders[n + 1] = phi_alloc(size, err);
		if (!folders[n] || !folders[n + 1])
			return -1;
		snprintf(folders[n++], size, "%s", folder);
		snprintf(folders[n++], size, "%s/../../blobs", folder);
	}
	return 0;
}

int
process_confine(const struct cli *cli, const char *output, struct phi_err *err)
{
	struct phi_sandbox sandbox = {{NULL}, NULL, {NULL}};
	char parent[4096];
	size_t nwrite = 0;
	char **const folders = phi_calloc(2 * (size_t)cli->noperands + 1, sizeof(char *), err);
	int result = folders ? list_folders(cli, folders, err) : -1;
	sandbox.more = (const char *const *)folders;
	if (output)
		sandbox.write[nwrite++] = process_parent(output, parent, sizeof parent);
	const char *const tmp = getenv("TMPDIR");
	sandbox.write[nwrite++] = tmp && *tmp ? tmp : "/var/tmp";
	if (!result)
		result = phi_sandbox_enter(&sandbox, err);
	for (size_t i = 0; folders && i < 2 * (size_t)cli->noperands; i++)
		phi_free(folders[i]);
	phi_free(folders);
	return result;
}

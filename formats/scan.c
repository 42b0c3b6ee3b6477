/* --scan: every file of a folder, by the format that knows it, else by what looks into anything. */
#include "formats/formats.h"

#include "formats/core/buffer.h"
#include "formats/core/escape.h"
#include "formats/core/memory.h"
#include "formats/inside.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { FOLDERS_MAX = 8, PATH_BYTES = 4096, SIDE_BYTES = 1 << 20 };

/* Findings of a file in a folder: they are given its name. */
struct named {
	const struct phi_findings *to;
	const char *file; /* or NULL: the file itself */
};

static int
pass(void *ctx, const struct phi_finding *finding, struct phi_err *err)
{
	const struct named *const n = ctx;
	struct phi_finding f = *finding;
	f.file = n->file;
	return n->to->emit(n->to->ctx, &f, err);
}

static int
scan_file(struct phi_store *store, const struct phi_findings *findings, struct phi_err *err)
{
	struct phi_probe probe = { .kind = PHI_STORE_FILE, .store = store,
		.name = phi_store_base(store) };
	const struct phi_format *const any = phi_format_named("pytorch");
	struct phi_member *const member = phi_store_member(store, NULL, err);
	if (!member || phi_member_spool(member, err) ||
		phi_member_peek(member, &probe.head, &probe.size, err)) {
		phi_member_close(member);
		return -1;
	}
	probe.name = phi_member_name(member);
	const struct phi_format *const format = phi_format_is_tar(&probe) ? NULL : phi_format_best(&probe);
	const struct phi_format *const with = format && format->scan ? format : any;
	phi_member_close(member);
	return with->scan(store, findings, err);
}

/* A failure of the file's is a finding, ours is a failure. */
static int
blame(const struct phi_findings *findings, const struct phi_err *why, struct phi_err *err)
{
	if (why->kind == PHI_MEMORY) {
		if (err)
			*err = *why;
		return -1;
	}
	return phi_finding_emit(findings, PHI_FINDING_UNSCANNABLE, "file.unreadable", NULL, NULL,
		UINT64_MAX, err, "%s", why->text);
}

/* Code of a model: a loader runs what "auto_map" of a configuration names. */

static bool
names_code(struct phi_store *store, const char *name, bool *elsewhere)
{
	void *text = NULL;
	size_t size = 0;
	struct phi_member *const member = phi_store_member(store, name, NULL);
	const bool loaded = member && !phi_member_load(member, SIDE_BYTES, &text, &size, NULL);
	const char *const map = loaded ? strstr(text, "\"auto_map\"") : NULL;
	/* "REPOSITORY--module.Class" */
	const char *const end = map ? strchr(map, '}') : NULL;
	*elsewhere = end && memmem(map, (size_t)(end - map), "--", 2);
	phi_free(text);
	phi_member_close(member);
	return map != NULL;
}

static bool
ends_with(const char *name, const char *suffix)
{
	const size_t n = strlen(name), m = strlen(suffix);
	return n >= m && !strcmp(name + n - m, suffix);
}

static int
check_code(struct phi_store *store, const char *const *names, size_t count, const char *prefix,
	const struct phi_findings *findings, struct phi_err *err)
{
	bool mapped = false;
	for (size_t i = 0; i < count; i++) {
		bool elsewhere = false;
		if (!ends_with(names[i], "config.json") || !names_code(store, names[i], &elsewhere))
			continue;
		mapped = true;
		char path[PATH_BYTES];
		snprintf(path, sizeof path, "%s%s", prefix, names[i]);
		if (elsewhere && phi_finding_emit(findings, PHI_FINDING_SUSPICIOUS, "code.remote", path,
			NULL, UINT64_MAX, err, "auto_map names code of another repository"))
			return -1;
	}
	for (size_t i = 0; mapped && i < count; i++) {
		char path[PATH_BYTES];
		snprintf(path, sizeof path, "%s%s", prefix, names[i]);
		if (ends_with(names[i], ".py") && phi_finding_emit(findings, PHI_FINDING_SUSPICIOUS,
			"code.remote", path, NULL, UINT64_MAX, err,
			"code that trust_remote_code would run"))
			return -1;
	}
	return 0;
}

/* Folders */

struct walk {
	const struct phi_findings *findings;
	unsigned depth;
};

static int scan_folder(struct walk *w, struct phi_store *store, const char *prefix,
	struct phi_err *err);

static int
scan_inner(struct walk *w, const char *path, const char *shown, const struct phi_findings *findings,
	struct phi_err *err)
{
	struct phi_err why = { 0 };
	char prefix[PATH_BYTES + 1];
	if (w->depth == FOLDERS_MAX)
		return phi_finding_emit(findings, PHI_FINDING_UNSCANNABLE, "scan.depth", NULL, NULL,
			UINT64_MAX, err, "folders in folders, deeper than %d", FOLDERS_MAX);
	struct phi_store *const store = phi_store_open(path, NULL, &why);
	if (!store)
		return blame(findings, &why, err);
	snprintf(prefix, sizeof prefix, "%s/", shown);
	w->depth++;
	const int result = scan_folder(w, store, prefix, err);
	w->depth--;
	phi_store_close(store);
	return result;
}

static int
scan_member(struct walk *w, struct phi_store *store, const char *name, const char *prefix,
	struct phi_err *err)
{
	char path[PATH_BYTES], shown[PATH_BYTES];
	struct stat st;
	struct phi_err why = { 0 };
	struct named named = { .to = w->findings, .file = shown };
	const struct phi_findings findings = { .emit = pass, .ctx = &named };
	if ((size_t)snprintf(path, sizeof path, "%s/%s", phi_store_path(store), name) >= sizeof path ||
		(size_t)snprintf(shown, sizeof shown, "%s%s", prefix, name) >= sizeof shown - 1)
		return phi_finding_emit(w->findings, PHI_FINDING_UNSCANNABLE, "file.unreadable", name,
			NULL, UINT64_MAX, err, "its path is too long");
	if (phi_store_kind(store) == PHI_STORE_FOLDER && !lstat(path, &st) && S_ISDIR(st.st_mode))
		return scan_inner(w, path, shown, &findings, err);
	struct phi_store *const single = phi_store_single(store, name, &why);
	const int result = single ? scan_file(single, &findings, &why) : -1;
	phi_store_close(single);
	return result ? blame(&findings, &why, err) : 0;
}

static int
scan_folder(struct walk *w, struct phi_store *store, const char *prefix, struct phi_err *err)
{
	const char *const *names;
	size_t count;
	if (phi_store_list(store, &names, &count, err) ||
		check_code(store, names, count, prefix, w->findings, err))
		return -1;
	for (size_t i = 0; i < count; i++)
		if (scan_member(w, store, names[i], prefix, err))
			return -1;
	return 0;
}

int
phi_scan_store(struct phi_store *store, const struct phi_findings *findings, struct phi_err *err)
{
	const enum phi_store_kind kind = phi_store_kind(store);
	struct walk walk = { .findings = findings };
	struct named named = { .to = findings };
	const struct phi_findings own = { .emit = pass, .ctx = &named };
	return kind == PHI_STORE_FILE || kind == PHI_STORE_PIPE ? scan_file(store, &own, err)
		: scan_folder(&walk, store, "", err);
}

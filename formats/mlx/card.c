/* Front matter is YAML between two lines of three dashes, at the very start:
 *
 *     ---
 *     license: mit
 *     tags:
 *     - nlp
 *     ---
 *
 * Lines are looked at, not parsed: a key of the outermost mapping begins a line. */
#include "formats/mlx/card.h"

#include <string.h>

static const char ours[] = "---\nlibrary_name: mlx\npipeline_tag: text-generation\n";

struct lines {
	const char *at, *end;
};

/* The next line with its end; 0 bytes: there is none. */
static size_t
next(struct lines *l, const char **line)
{
	const char *const stop = l->at < l->end ? memchr(l->at, '\n', (size_t)(l->end - l->at)) : NULL;
	*line = l->at;
	l->at = stop ? stop + 1 : l->end;
	return (size_t)(l->at - *line);
}

static bool
begins(const char *line, size_t n, const char *what)
{
	return n >= strlen(what) && !memcmp(line, what, strlen(what));
}

static bool
is_fence(const char *line, size_t n)
{
	return begins(line, n, "---") && (n == 3 || line[3] == '\n' || line[3] == '\r');
}

/* The front matter's lines, and the text behind it. False: there is none. */
static bool
cut(const struct phi_side *card, struct lines *front, struct lines *text)
{
	struct lines l = { card->data, (const char *)card->data + card->size };
	const char *line;
	size_t n = next(&l, &line);
	if (!is_fence(line, n))
		return false;
	front->at = l.at;
	while ((n = next(&l, &line)) && !is_fence(line, n))
		continue;
	front->end = line;
	*text = l;
	return n != 0;
}

/* The lines of the front matter but those that are ours to say; "mlx" joins the tags, where they are a list of lines. */
static int
put_front(struct lines front, struct phi_buffer *out, struct phi_err *err)
{
	const char *line;
	size_t n;
	while ((n = next(&front, &line))) {
		if (begins(line, n, "library_name:") || begins(line, n, "pipeline_tag:") ||
			begins(line, n, "- mlx\n") || begins(line, n, "  - mlx\n"))
			continue;
		if (phi_buffer_append(out, line, n, err))
			return -1;
		if (!begins(line, n, "tags:\n") && !begins(line, n, "tags: \n"))
			continue;
		struct lines rest = front;
		const char *item;
		const size_t m = next(&rest, &item);
		if (phi_buffer_printf(out, err, begins(item, m, "  - ") ? "  - mlx\n" : "- mlx\n"))
			return -1;
	}
	return 0;
}

static bool
has_tags(struct lines front)
{
	const char *line;
	size_t n;
	while ((n = next(&front, &line)))
		if (begins(line, n, "tags:"))
			return true;
	return false;
}

int
phi_mlx_card_write(const struct phi_side *card, struct phi_buffer *out, struct phi_err *err)
{
	struct lines front = { "", NULL }, text = { "", NULL };
	front.end = front.at;
	text.end = text.at;
	if (card && !cut(card, &front, &text))
		text = (struct lines){ card->data, (const char *)card->data + card->size };
	if (phi_buffer_append(out, ours, strlen(ours), err) || put_front(front, out, err) ||
		(!has_tags(front) && phi_buffer_printf(out, err, "tags:\n- mlx\n")) ||
		phi_buffer_printf(out, err, "---\n"))
		return -1;
	return phi_buffer_append(out, text.at, (size_t)(text.end - text.at), err);
}

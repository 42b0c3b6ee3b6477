#!/usr/bin/env bash
# Who may include whom (DESIGN.md section 2):
#
#   formats/core <- quant, formats/models, formats/tokenizer <- formats/<format> <- formats.h
#   formats.h, quant <- inspect <- cmd
#   formats/core <- formats/packed <- formats.h
#
# quant and the formats do not know each other; a format folder knows no other format folder; the
# registry (formats/formats.c) knows families to assign them, and canonical.c tokenizers to write them.
set -u
bad=0
# room FILE -> the room it is in
room()
{
	case $1 in
	formats/core/*) echo core ;;
	formats/models/*) echo models ;;
	formats/tokenizer/*) echo tokenizer ;;
	formats/packed/*) echo packed ;;
	formats/*/*) echo "format:$(echo "$1" | cut -d/ -f2)" ;;
	formats/*) echo formats ;;
	quant/*) echo quant ;;
	inspect/*) echo inspect ;;
	cmd/*) echo cmd ;;
	esac
}
allowed()
{
	[ "$1" = "$2" ] && return 0
	case "$1>$2" in
	*">core") return 0 ;;
	"tokenizer>models" | format:*">models" | format:*">tokenizer") return 0 ;;
	"formats>models" | "formats>packed" | "formats>tokenizer") return 0 ;;
	"inspect>formats" | "inspect>quant" | "inspect>models") return 0 ;;
	"cmd>formats" | "cmd>quant" | "cmd>inspect") return 0 ;;
	esac
	return 1
}
while IFS=: read -r file include; do
	from=$(room "$file")
	to=$(room "$include")
	[ "$from" = core ] && [ "$to" != core ] || ! allowed "$from" "$to" && {
		echo "$file ($from) includes $include ($to)"
		bad=1
	}
done < <(grep -rnoE '^#[ 	]*include "[^"]+"' cmd formats quant inspect --include='*.[ch]' |
	sed -E 's/^([^:]+):[0-9]+:.*"([^"]+)"/\1:\2/')
exit $bad

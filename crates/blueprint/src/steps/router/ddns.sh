#!/bin/sh
# Made by Bramble. Keeps DNS records at Cloudflare at the address that this network has outside.
#
# Run by bramble-ddns.service, which gives the settings: DDNS_NAME, DDNS_ZONE, DDNS_API, DDNS_FAMILIES
# (ipv4, ipv6), DDNS_SOURCE (auto, uplink, or a page that answers with the address), DDNS_PAGE (the page
# of auto), DDNS_UPLINK (an interface; empty: that of the default route). The token is in curl's
# configuration $CREDENTIALS_DIRECTORY/curl and leaves it for the provider alone.
set -eu
export LC_ALL=C
config=$CREDENTIALS_DIRECTORY/curl
state=$STATE_DIRECTORY
now=$(date +%s)
# A record that somebody else changed is noticed after so many seconds.
again=86400
longest_pause=21600
token=$(sed -n 's/^header = "Authorization: Bearer \(.*\)"$/\1/p' "$config" | sed 's/\\\(.\)/\1/g')
[ -n "$token" ] || { echo "$config holds no token"; exit 1; }
# Stands for everything that decides what is asked of the provider: another token is tried at once.
mark=$({
	printf '%s\n' "$DDNS_API" "$DDNS_ZONE" "$DDNS_NAME" "$DDNS_SOURCE"
	cat "$config"
} | sha256sum | cut -c 1-32)

# Addresses: one in its shortest form, and whether the Internet could have it. A line that is no address
# gives "bad", one that only means something here gives "private".
# shellcheck disable=SC2016 # the variables are jq's
addresses='
def number: explode | map(if . >= 97 then . - 87 elif . >= 65 then . - 55 else . - 48 end)
	| reduce .[] as $d (0; . * 16 + $d);
def hex: if . < 16 then . as $n | "0123456789abcdef"[$n:$n + 1]
	else ((. / 16 | floor) | hex) + ((. % 16) | hex) end;
def four: if test("^(0|[1-9][0-9]{0,2})(\\.(0|[1-9][0-9]{0,2})){3}$") then split(".") | map(tonumber) else null end
	| if . == null or any(.[]; . > 255) then null else . end;
def part: if . == "" then [] else split(":") end;
def six: if test("^[0-9A-Fa-f:]{2,39}$") | not then null else
	split("::") as $halves
	| if ($halves | length) == 1 then $halves[0] | part
	elif ($halves | length) == 2 then ($halves[0] | part) as $a | ($halves[1] | part) as $b
		| (8 - ($a | length) - ($b | length)) as $n
		| if $n < 1 then null else $a + [range($n) | "0"] + $b end
	else null end end
	| if . == null or length != 8 or (all(.[]; test("^[0-9A-Fa-f]{1,4}$")) | not) then null else map(number) end;
def short: ":" + (map(hex) | join(":")) + ":"
	| . as $all
	| ([range(8; 1; -1) as $n | (":" + "0:" * $n) as $zeros | select($all | contains($zeros)) | $zeros][0]) as $zeros
	| if $zeros == null then . else index($zeros) as $at | .[:$at] + "::" + .[$at + ($zeros | length):] end
	| if startswith("::") then . else .[1:] end
	| if endswith("::") then . else .[:-1] end;
def public_four: . as [$a, $b, $c] | (
	$a == 0 or $a == 10 or $a == 127 or $a >= 224
	or ($a == 100 and $b >= 64 and $b < 128)
	or ($a == 169 and $b == 254)
	or ($a == 172 and $b >= 16 and $b < 32)
	or ($a == 192 and (($b == 0 and ($c == 0 or $c == 2)) or $b == 168))
	or ($a == 198 and ($b == 18 or $b == 19 or ($b == 51 and $c == 100)))
	or ($a == 203 and $b == 0 and $c == 113)) | not;
def public_six: . as [$a, $b] | $a >= 8192 and $a < 16384 and ((
	($a == 8193 and ($b < 512 or $b == 3512))
	or ($a == 16383 and $b < 4096)) | not);
def address: (if $type == "A" then four else six end) as $parts
	| if $parts == null then "bad"
	elif $type == "A" then (if $parts | public_four then "" else "private " end) + ($parts | map(tostring) | join("."))
	else (if $parts | public_six then "" else "private " end) + ($parts | short) end;
'

# Whatever a server answers, the token is not repeated.
say() {
	rest=$1 text=
	while :; do
		case $rest in
		*"$token"*) text=$text${rest%%"$token"*}'***' rest=${rest#*"$token"} ;;
		*) break ;;
		esac
	done
	printf '%s' "$text$rest" | tr '\n\t' '  ' | tr -d '[:cntrl:]' | cut -c 1-500
}

keep() {
	printf '%s\n' "$2" >"$state/.new"
	mv -f "$state/.new" "$state/$1"
}

# Whether a server that failed is still left alone. A pause that ends later than any could is one of a
# clock that was wrong.
paused() {
	what='' failures=0 until=0
	if [ -r "$state/pause.$1" ]; then
		read -r what failures until <"$state/pause.$1" || :
	fi
	case $what,$failures,$until in
	"$mark",[0-9]*,[0-9]*) ;;
	*) failures=0 until=0 ;;
	esac
	[ "$now" -lt "$until" ] && [ $((until - now)) -le $longest_pause ] || return 1
	say "$2 is left alone until $(date -d "@$until" '+%Y-%m-%d %H:%M:%S %Z'), after $failures failures"
}

# Notes that a server failed; each time it is left alone for twice as long.
pause() {
	failures=$((failures + 1))
	pause=$longest_pause
	[ "$failures" -gt 9 ] || pause=$((60 << (failures - 1)))
	[ $pause -le $longest_pause ] || pause=$longest_pause
	until=$((now + pause))
	keep "pause.$1" "$mark $failures $until"
	say "$2; not tried again before $(date -d "@$until" '+%Y-%m-%d %H:%M:%S %Z')"
}

# Fetches with curl's arguments, at most 1 MiB: sets $status and $text, or $why.
fetch() {
	rm -f "$state/.answer"
	if ! status=$( (
		ulimit -f 2048
		exec curl -q -sS --proto '=http,https' --connect-timeout 10 --max-time 20 -o "$state/.answer" -w '%{http_code}' "$@"
	) 2>&1); then
		why=$(printf '%s' "$status" | sed 's/[0-9]\{3\}$//; s/^curl: ([0-9]*) //')
		why=${why:-"what it sends is too long"}
		return 1
	fi
	text=$(cat "$state/.answer" 2>/dev/null) || text=
	rm -f "$state/.answer"
}

# Sets $address to that of the uplink, or $why.
from_uplink() {
	address='' device=$DDNS_UPLINK
	if [ -z "$device" ]; then
		device=$(ip -j "$flag" route show default | jq -r 'map(select(.dev)) | sort_by(.metric // 0)[0].dev // empty') || device=
	fi
	if [ -z "$device" ]; then
		why="there is no default route for $family"
		return 1
	fi
	found=$(ip -j "$flag" addr show dev "$device" scope global | jq -r --arg type "$type" "$addresses"'
		[.[].addr_info[]? | select(.local and ((.deprecated or .temporary or .tentative or .dadfailed) | not)) | .local | address]
		| (map(select(startswith("private") | not)) + .)[0] // empty') || found=
	case $found in
	'') why="$device has no $family address" ;;
	private*) why="$device has the address ${found#* }, which is none of the Internet's" ;;
	*) address=$found ;;
	esac
	[ -n "$address" ]
}

# Sets $address to what a page answers: an address alone, or a line ip=ADDRESS. Sets $why otherwise.
from_page() {
	address=
	if ! fetch "$flag" -L --max-redirs 3 --proto-redir '=http,https' "$1"; then
		why="$1 does not answer: $why"
		return 1
	fi
	if [ "$status" != 200 ]; then
		why="$1 answers with the status $status"
		return 1
	fi
	line=$(printf '%s\n' "$text" | tr -d '\r' | sed -n '/^ip=/{s/^ip=//p;q;}')
	[ -n "$line" ] || line=$(printf '%s\n' "$text" | sed 's/^[[:space:]]*//; s/[[:space:]]*$//')
	found=$(printf '%s' "$line" | jq -Rrs --arg type "$type" "$addresses address")
	case $found in
	bad) why="$1 answers with what is no $family address: $(printf '%s' "$line" | head -c 60)" ;;
	private*) why="$1 answers with ${found#* }, which is none of the Internet's" ;;
	*) address=$found ;;
	esac
	[ -n "$address" ]
}

# Sets $address, or says why there is none. Only a page is left alone for a while when it fails: the
# uplink can be asked for nothing.
find_address() {
	case $DDNS_SOURCE in
	auto)
		if from_uplink; then return; fi
		page=$DDNS_PAGE
		;;
	uplink)
		if from_uplink; then return; fi
		say "$family: $why: name a page in router.ddns.source that answers with the address"
		return 1
		;;
	*) page=$DDNS_SOURCE ;;
	esac
	if paused "page.$family" "$page"; then return 1; fi
	if from_page "$page"; then
		rm -f "$state/pause.page.$family"
		return
	fi
	pause "page.$family" "$family: $why"
	return 1
}

# Asks the provider: method, path and, where there is one, the body. Sets $text, or $why.
ask() {
	if ! fetch --config "$config" -X "$1" -H 'Content-Type: application/json' ${3:+--data "$3"} "$DDNS_API$2"; then
		why="$DDNS_API does not answer: $why"
		return 1
	fi
	if printf '%s' "$text" | jq -e '.success == true' >/dev/null 2>&1; then return; fi
	why=$(printf '%s' "$text" | jq -r '[.errors[] | (., .error_chain[]?) | "\(.message) (\(.code))"] | join("; ")' 2>/dev/null) || why=
	why="$DDNS_API answers with the status $status${why:+: $why}"
	case $status in 400 | 401 | 403) why="$why. Is the token right, and may it edit the DNS of $DDNS_ZONE?" ;; esac
	return 1
}

# Brings the record to $address.
tell() {
	ask GET "/zones?name=$DDNS_ZONE" || return
	zone=$(printf '%s' "$text" | jq -r --arg name "$DDNS_ZONE" '
		[.result[]? | select(.name == $name)] | (map(select(.status == "active")) + .)[0].id // empty')
	if [ -z "$zone" ]; then
		why="the token sees no zone $DDNS_ZONE"
		return 1
	fi
	ask GET "/zones/$zone/dns_records?type=$type&name.exact=$DDNS_NAME&per_page=100" || return
	# Whatever the server made of the filter.
	records=$(printf '%s' "$text" | jq -c --arg type "$type" --arg name "$DDNS_NAME" "$addresses"'
		[.result[]? | select(.type == $type and (.name | ascii_downcase) == $name)
		| { id, was: (.content | address | sub("^private "; "")), record: { type, name, ttl: (.ttl // 1), proxied: (.proxied // false) } }]')
	case $(printf '%s' "$records" | jq length) in
	0)
		body=$(jq -cn --arg type "$type" --arg name "$DDNS_NAME" --arg content "$address" '{ type: $type, name: $name, content: $content, ttl: 1, proxied: false }')
		ask POST "/zones/$zone/dns_records" "$body" || return
		say "$DDNS_NAME $type is now $address (new)"
		;;
	1)
		was=$(printf '%s' "$records" | jq -r '.[0].was')
		if [ "$was" = "$address" ]; then
			say "$DDNS_NAME $type is $address already"
			return
		fi
		body=$(printf '%s' "$records" | jq -c --arg content "$address" '.[0].record + { content: $content }')
		ask PATCH "/zones/$zone/dns_records/$(printf '%s' "$records" | jq -r '.[0].id')" "$body" || return
		say "$DDNS_NAME $type is now $address (was $was)"
		;;
	*)
		why="$DDNS_ZONE has several $type records of the name $DDNS_NAME: remove all but one"
		return 1
		;;
	esac
}

# One family. Nothing is asked of the provider while it was told this very address less than a day ago.
update() {
	family=$1
	case $family in
	ipv4) type=A flag=-4 ;;
	*) type=AAAA flag=-6 ;;
	esac
	find_address || return
	what='' told='' at=0
	if [ -r "$state/told.$family" ]; then
		read -r what told at <"$state/told.$family" || :
	fi
	case $at in '' | *[!0-9]*) at=0 ;; esac
	if [ "$what,$told" = "$mark,$address" ] && [ "$at" -le "$now" ] && [ $((now - at)) -lt $again ]; then return; fi
	if paused provider "$DDNS_API"; then return 1; fi
	if tell; then
		rm -f "$state/pause.provider"
		keep "told.$family" "$mark $address $now"
		return
	fi
	pause provider "$DDNS_NAME $type: $why"
	return 1
}

failed=0
for each in $DDNS_FAMILIES; do
	update "$each" || failed=1
done
exit $failed

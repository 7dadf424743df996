# The tags of a registry's store, and for each the images that are there with all their parts: lines
# REPOSITORY:TAG DIGEST. Layout: distribution's file system driver, version 2.
cd "$S/docker/registry/v2" 2>/dev/null || exit 0
set -f
data() { f=blobs/sha256/${1%"${1#??}"}/$1/data; }
docs=
for l in $(find repositories -path '*/_manifests/revisions/sha256/*/link'); do
	h=${l%/link}
	data "${h##*/}"
	docs="$docs $f"
done
# What each of them names, and those of which something is missing.
names=$(grep -Hso 'sha256:[0-9a-f]\{64\}' $docs /dev/null)
lost=' '
for n in $names; do
	data "${n##*:}"
	[ -s "$f" ] || lost="$lost${n%%:*} "
done
for l in $(find repositories -path '*/_manifests/tags/*/current/link'); do
	tag=${l#repositories/}
	tag=${tag%/current/link}
	repository=${tag%/_manifests/tags/*}
	read -r top <"$l" || :
	data "${top#sha256:}"
	doc=$f
	for n in "$doc:$top" $names; do
		h=${n##*:}
		[ "${n%%:*}" = "$doc" ] && [ -e "repositories/$repository/_manifests/revisions/sha256/$h/link" ] || continue
		data "$h"
		case $lost in *" $f "*) continue ;; esac
		[ ! -s "$f" ] || echo "$repository:${tag##*/} sha256:$h"
	done
done

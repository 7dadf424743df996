# Copies snapshots to a place that speaks S3. Settings: S3_ENDPOINT, S3_BUCKET, S3_PREFIX. Key and region are in
# curl's configuration $CREDENTIALS_DIRECTORY/curl: what signs is in no argument and no environment.
# What to do about a refusal: s3_remedy CODE.
s3_remedy() {
	case $1 in
	InvalidAccessKeyId | SignatureDoesNotMatch)
		echo 'see that the file of spec.etcd.snapshots.s3.credentialsFile has the access key id in its first line and the secret key in its second, then bramble up'
		;;
	NoSuchBucket) echo "make the bucket $S3_BUCKET there, or name another one (spec.etcd.snapshots.s3.bucket)" ;;
	AccessDenied) echo "let the key write there (s3:PutObject on $S3_BUCKET/$S3_PREFIX/*)" ;;
	PermanentRedirect | AuthorizationHeaderMalformed | IllegalLocationConstraintException)
		echo 'write the region of the bucket (spec.etcd.snapshots.s3.region)'
		;;
	RequestTimeTooSkewed) echo "set this machine's clock right (timedatectl)" ;;
	'') echo "see that this machine reaches $S3_ENDPOINT (spec.etcd.snapshots.s3.endpoint); the next run tries again" ;;
	*) echo "see what the service at $S3_ENDPOINT says of it; the next run tries again" ;;
	esac
}
# s3_put FILE URL: the service compares what comes with the sum that was signed.
s3_put() {
	sum=$(sha256sum <"$1") || return 1
	status=$(curl --config "$CREDENTIALS_DIRECTORY/curl" --silent --show-error --connect-timeout 20 \
		--speed-limit 1000 --speed-time 60 --max-time 3000 --header "x-amz-content-sha256: ${sum%% *}" \
		--upload-file "$1" --output "$s3_said" --write-out '%{http_code}' "$2" 2>"$s3_said.curl") || status=none
	case $status in
	200) return 0 ;;
	none)
		why=$(sed -n 's/^curl: ([0-9]*) //p' "$s3_said.curl" | tail -n 1)
		why=${why:-$(tail -n 1 "$s3_said.curl")} code=''
		;;
	*)
		code=$(tr '\n' ' ' <"$s3_said" | sed -n 's/.*<Code>\([A-Za-z0-9]*\)<\/Code>.*/\1/p')
		why="the service refuses it: $status${code:+ $code}"
		;;
	esac
	echo "no copy of ${1##*/} at $2: $why"
	echo "Remedy: $(s3_remedy "$code")."
	return 1
}
# Copies those of standard input, newest first, that are not there yet. What the service refuses once it
# refuses again: the rest waits for the next run.
s3_send_all() {
	if ! curl --help all | grep -q -e --aws-sigv4; then
		echo "no copy: $(curl --version | head -n 1 | cut -d ' ' -f 1-2) can't sign for S3, it needs 7.75"
		return 1
	fi
	s3_said=$(mktemp -d)/answer || return 1
	failed=0
	while IFS= read -r each; do
		url=$S3_ENDPOINT/$S3_BUCKET/$S3_PREFIX/${each##*/}
		[ "$(cat "$each.sent" 2>/dev/null)" != "$url" ] || continue
		: >"$s3_said"
		s3_put "$each" "$url" || {
			failed=1
			break
		}
		printf '%s\n' "$url" >"$each.sent"
		echo "copied to $url"
	done
	rm -rf "${s3_said%/*}"
	return $failed
}

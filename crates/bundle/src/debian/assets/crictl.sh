#!/bin/sh
# A small crictl over containerd's own ctr, for machines without cri-tools: what kubeadm 1.20 calls
# (info, inspecti, pull, pods, stopp, rmp), and ps for people.
set -eu

socket=/run/containerd/containerd.sock

say() { printf '%s\n' "crictl: $*" >&2; }

# All containers of Kubernetes live in this namespace of containerd.
c() { ctr --connect-timeout 10s -a "$socket" -n k8s.io "$@"; }

usage() {
    cat <<'END'
crictl (over ctr): info | images | inspecti IMAGE... | pull IMAGE | rmi IMAGE... | pods [-q] | ps [-a] [-q] |
                   stop CONTAINER... | rm CONTAINER... | stopp POD... | rmp POD...
options before the command: -r, --runtime-endpoint SOCKET; -i, --image-endpoint SOCKET; -t, --timeout TIME (ignored)
END
}

# label CONTAINER NAME: one label's value. ctr prints labels one a line, as "name": "value".
label() {
    c containers info "$1" |
        awk -v name="\"$2\":" '$1 == name { gsub(/^"|",?$/, "", $2); print $2; exit }'
}

sandboxes() { c containers ls -q 'labels."io.cri-containerd.kind"==sandbox'; }

running() { c tasks ls | awk 'NR > 1 && $3 == "RUNNING" { print $1 }'; }

# full PREFIX: the id that begins so, as crictl allows short ids.
full() {
    found=$(c containers ls -q | awk -v want="$1" 'index($1, want) == 1')
    case $(printf '%s' "$found" | grep -c .) in
        1) printf '%s\n' "$found" ;;
        0) return 1 ;;
        *) say "$1 stands for more than one container"; return 1 ;;
    esac
}

# stop_task ID SIGNAL: ends a container's processes; the caller looks whether it worked.
stop_task() {
    c tasks kill -s "$2" -a "$1" 2>/dev/null || true
    tries=0
    while running | grep -qx "$1"; do
        tries=$((tries + 1))
        [ "$tries" -le 20 ] || break
        sleep 0.5
    done
}

stop_container() {
    stop_task "$1" SIGTERM
    if running | grep -qx "$1"; then
        stop_task "$1" SIGKILL
    fi
    if running | grep -qx "$1"; then
        say "container $1 does not end"
        return 1
    fi
    c tasks rm -f "$1" >/dev/null 2>&1 || true
}

remove_container() {
    stop_container "$1" || return 1
    c containers rm "$1"
}

# members POD: the containers of a pod, its sandbox last.
members() {
    uid=$(label "$1" io.kubernetes.pod.uid)
    if [ -n "$uid" ]; then
        c containers ls -q "labels.\"io.kubernetes.pod.uid\"==$uid" | grep -vx "$1" || true
    fi
    printf '%s\n' "$1"
}

stop_pod() {
    members "$1" | while read -r id; do
        stop_container "$id" || exit 1
    done
}

# The sandbox's network namespace and shared memory are mounts that containerd's own plugin made.
netns() {
    c containers info "$1" |
        sed -n 's#.*"path": "\(/\(var/\)\{0,1\}run/netns/[^"]*\)".*#\1#p' | head -n 1
}

remove_pod() {
    space=$(netns "$1")
    members "$1" | while read -r id; do
        remove_container "$id" || exit 1
    done || return 1
    if [ -n "$space" ] && [ -e "$space" ]; then
        umount "$space" 2>/dev/null || true
        rm -f "$space"
    fi
    shm=/run/containerd/io.containerd.grpc.v1.cri/sandboxes/$1/shm
    if [ -d "$shm" ]; then
        umount "$shm" 2>/dev/null || true
    fi
}

while [ $# -gt 0 ]; do
    case $1 in
        -r | --runtime-endpoint | -i | --image-endpoint)
            [ $# -ge 2 ] || { say "$1 needs a socket"; exit 2; }
            socket=${2#unix://}
            shift 2
            ;;
        --runtime-endpoint=* | --image-endpoint=*) socket=${1#*=}; socket=${socket#unix://}; shift ;;
        -t | --timeout | -c | --config) [ $# -ge 2 ] || { say "$1 needs a value"; exit 2; }; shift 2 ;;
        --timeout=* | --config=* | -D | --debug) shift ;;
        -h | --help | help) usage; exit 0 ;;
        -v | --version | version) echo "crictl shim over ctr"; c version; exit ;;
        -*) say "unknown option $1"; usage >&2; exit 2 ;;
        *) break ;;
    esac
done
[ $# -gt 0 ] || { usage >&2; exit 2; }
command=$1
shift

case $command in
    info)
        # The CRI plugin must be there and in order, not containerd alone.
        plugins=$(c plugins ls)
        state=$(printf '%s\n' "$plugins" | awk '$1 == "io.containerd.grpc.v1" && $2 == "cri" { print $NF }')
        case $state in
            ok) echo '{"status":{"conditions":[{"type":"RuntimeReady","status":true}]}}' ;;
            '') say "containerd at $socket has no CRI plugin; is it in disabled_plugins?"; exit 1 ;;
            *) say "containerd's CRI plugin is in state \"$state\""; exit 1 ;;
        esac
        ;;
    images | img)
        c images ls
        ;;
    inspecti)
        [ $# -gt 0 ] || { say "inspecti needs an image"; exit 2; }
        for image in "$@"; do
            found=$(c images ls -q "name==$image")
            [ -n "$found" ] || { say "no such image: $image"; exit 1; }
            printf '{"status":{"id":"%s","repoTags":["%s"]}}\n' "$image" "$image"
        done
        ;;
    pull)
        [ $# -eq 1 ] || { say "pull needs one image"; exit 2; }
        # One that was brought here by hand is as good as a pulled one.
        if [ -n "$(c images ls -q "name==$1")" ]; then
            echo "Image is up to date for $1"
        else
            c images pull "$1"
        fi
        ;;
    rmi)
        [ $# -gt 0 ] || { say "rmi needs an image"; exit 2; }
        c images rm "$@"
        ;;
    pods)
        case ${1:-} in
            -q | --quiet) sandboxes ;;
            '')
                sandboxes | while read -r id; do
                    printf '%.13s  %s/%s\n' "$id" "$(label "$id" io.kubernetes.pod.namespace)" \
                        "$(label "$id" io.kubernetes.pod.name)"
                done
                ;;
            *) say "pods: unknown option $1"; exit 2 ;;
        esac
        ;;
    ps)
        all='' quiet=''
        for option in "$@"; do
            case $option in
                -a | --all) all=1 ;;
                -q | --quiet) quiet=1 ;;
                -aq | -qa) all=1 quiet=1 ;;
                *) say "ps: unknown option $option"; exit 2 ;;
            esac
        done
        up=$(running)
        c containers ls -q 'labels."io.cri-containerd.kind"==container' | while read -r id; do
            state=Exited
            if printf '%s\n' "$up" | grep -qx "$id"; then
                state=Running
            fi
            [ -n "$all" ] || [ $state = Running ] || continue
            if [ -n "$quiet" ]; then
                printf '%s\n' "$id"
            else
                printf '%.13s  %-8s  %s/%s  %s\n' "$id" "$state" "$(label "$id" io.kubernetes.pod.namespace)" \
                    "$(label "$id" io.kubernetes.pod.name)" "$(label "$id" io.kubernetes.container.name)"
            fi
        done
        ;;
    stop | rm | stopp | rmp)
        [ $# -gt 0 ] || { say "$command needs an id"; exit 2; }
        for short in "$@"; do
            case $short in
                -f | --force | -t | --timeout) continue ;;
            esac
            # Gone already is what was wanted.
            id=$(full "$short") || continue
            case $command in
                stop) stop_container "$id" ;;
                rm) remove_container "$id" ;;
                stopp) stop_pod "$id" ;;
                rmp) remove_pod "$id" ;;
            esac
            echo "$id"
        done
        ;;
    *)
        say "unknown command $command"
        usage >&2
        exit 2
        ;;
esac

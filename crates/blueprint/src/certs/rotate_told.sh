# What else may talk to the API: it has read whom to trust when it started.
api get daemonsets,deployments,statefulsets -A -o 'go-template={{range .items}}{{if ne .metadata.namespace "kube-system"}}{{printf "told %s/%s/%s\n" .metadata.namespace .kind .metadata.name}}{{end}}{{end}}'
api get nodes -o 'go-template={{range .items}}{{printf "node %s\n" .metadata.name}}{{end}}'

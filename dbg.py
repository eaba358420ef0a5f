p='dist/esm/cli/serve/worker-main.js'
s=open(p).read()
s=s.replace("async function drain() {","async function drain() { const t=()=>process.pid+' '+(Date.now()%100000)+' '+JSON.stringify(service?.stats()); console.error('drain', t());")
s=s.replace("    process.exit(0);","    console.error('exit', process.pid+' '+(Date.now()%100000)+' '+JSON.stringify(service?.stats()));process.exit(0);",1)
open(p,'w').write(s)

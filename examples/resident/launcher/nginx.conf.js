// nginx for development: the PHP pages, and WebSocket passed on to the resident processes.

/** @param {{folder: string, port: number, publicFolder: string, user: string, doors: string[], fpm: string}} options */
export const nginxConf = ({ folder, port, publicFolder, user, doors, fpm }) => `
${user === 'root' ? 'user root;' : ''}
worker_processes 1;
pid ${folder}/nginx.pid;
error_log ${folder}/nginx.log warn;
events { worker_connections 4096; }
http {
  types { text/html html; text/css css; text/javascript js; }
  default_type application/octet-stream;
  access_log off;
  client_body_temp_path ${folder}/body;
  fastcgi_temp_path ${folder}/fastcgi;
  proxy_temp_path ${folder}/proxy;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
  upstream doors {
${doors.map((door) => `    server unix:${door} max_fails=1 fail_timeout=1s;`).join('\n')}
  }
  server {
    listen 127.0.0.1:${port};
    root ${publicFolder};
    index index.php;
    location ~ \\.php$ {
      try_files $uri =404;
      include /etc/nginx/fastcgi_params;
      fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name;
      fastcgi_pass unix:${fpm};
    }
    location = /push {
      proxy_pass http://doors;
      proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection upgrade;
      proxy_set_header Host $http_host;
      # Longer than the resident process's pings are apart.
      proxy_read_timeout 60s;
    }
  }
}
`

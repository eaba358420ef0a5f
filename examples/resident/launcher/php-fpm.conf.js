// php-fpm for development: one small pool that knows where the resident processes are.

/** @param {{folder: string, user: string, fpm: string, sockets: string[]}} options */
export const fpmConf = ({ folder, user, fpm, sockets }) => `
[global]
error_log = ${folder}/php-fpm.log
daemonize = no
[www]
${user === 'root' ? 'user = root\ngroup = root' : ''}
listen = ${fpm}
pm = static
pm.max_children = 4
catch_workers_output = yes
env[RESIDENT_ADDRESSES] = ${sockets.map((path) => `unix://${path}`).join(',')}
php_admin_value[session.save_path] = ${folder}/sessions
php_admin_value[error_log] = ${folder}/php.log
php_admin_flag[display_errors] = off
`

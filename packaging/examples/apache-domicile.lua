-- Refuses a request with an odd header, for apache.conf. No directive of Apache looks at all names: SetEnvIf with a pattern sees
-- the value of the last one only, so an empty header behind a forged one would hide it.

function refuse_odd_names(r)
    for name in pairs(r:headers_in_table()) do
        if string.find(name, "[^A-Za-z0-9%-]") then
            return 400
        end
    end
    return apache2.DECLINED
end
